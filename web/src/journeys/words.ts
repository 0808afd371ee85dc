/** A number of seconds, as people say it: `40 s`, `12 min`, `3.5 h`, `2 days`. A dash when unknown. */
export function duration(seconds: number | null): string {
  if (seconds === null) return '–';
  const said = (n: number, unit: string) => `${new Intl.NumberFormat('en', { maximumFractionDigits: n < 10 ? 1 : 0 }).format(n)} ${unit}`;
  if (seconds < 90) return said(seconds, 's');
  if (seconds < 90 * 60) return said(seconds / 60, 'min');
  if (seconds < 48 * 3600) return said(seconds / 3600, 'h');
  return said(seconds / 86_400, 'days');
}

/** The name of a group or a step: those that begin with $ are the server's own. */
export function placeWord(key: string): string {
  return { $none: 'without it', $other: 'others', $start: 'begin', $end: 'end' }[key] ?? key;
}
