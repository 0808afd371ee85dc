// Days of other time zones than the reader's.

/** The reader's own time zone. */
export const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** All zones there are to choose from. */
export const zones = [...new Set(['UTC', ownZone, ...Intl.supportedValuesOf('timeZone')])];

/** When a day such as `2026-03-29` begins in a zone, as RFC 3339; so many days later with more. */
export function dayBegin(day: string, zone: string, more = 0): string {
  const midnight = Date.parse(`${day}T00:00:00Z`) + more * 86_400_000;
  // The offset of the moment that is looked for: that of midnight in UTC may be of before a change of the clocks.
  const near = midnight - offsetMs(midnight, zone);
  return new Date(midnight - offsetMs(near, zone)).toISOString();
}

/** The day that a moment has in a zone: `2026-03-29`. */
export function dayOf(ms: number, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' }).format(ms);
}

function offsetMs(ms: number, zone: string): number {
  const wall = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(ms);
  return Date.parse(`${wall.replace(' ', 'T')}Z`) - Math.floor(ms / 1000) * 1000;
}
