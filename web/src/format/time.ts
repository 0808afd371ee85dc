// Times come as RFC 3339 in UTC and are shown in the zone of the reader.

/** Hour and minute: `14:03`. */
export function clock(at: string | number): string {
  return format(at, { hour: '2-digit', minute: '2-digit' });
}

/** To the second: `14:03:07`. */
export function clockSeconds(at: string | number): string {
  return format(at, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

/** A day and its minute: `2 Jan 2026, 14:03`. */
export function dateTime(at: string): string {
  return format(at, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });
}

/** A day: `2 Jan 2026`. */
export function date(at: string): string {
  return format(at, { day: 'numeric', month: 'short', year: 'numeric' });
}

function format(at: string | number, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat('en-GB', { hourCycle: 'h23', ...options }).format(new Date(at));
}

/** How long ago, by a clock: `now`, `12 s ago`, `5 min ago`, `3 h ago`, then the day. */
export function ago(at: string, nowMs: number): string {
  const seconds = Math.round((nowMs - Date.parse(at)) / 1000);
  if (seconds < 5) return 'now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return date(at);
}

/** How far ahead, by a clock: `now`, `in 40 s`, `in 12 min`, `in 3 h`, `in 14 days`. What is left is rounded down, as one counts on it. */
export function ahead(at: string, nowMs: number): string {
  const seconds = Math.floor((Date.parse(at) - nowMs) / 1000);
  if (seconds < 1) return 'now';
  if (seconds < 60) return `in ${seconds} s`;
  if (seconds < 3600) return `in ${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `in ${Math.floor(seconds / 3600)} h`;
  return `in ${Math.floor(seconds / 86_400)} days`;
}
