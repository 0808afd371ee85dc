// The numbers of the dashboard, computed from reports. Pure.
import type { Report, ReportPoint } from '../live/message';

const stepMs: Record<Report['step'], number> = { MINUTE: 60_000, HOUR: 3_600_000, DAY: 86_400_000 };

/** A report without dimension as a chart wants it: one value for each bucket, the empty ones too. */
export interface Series {
  /** Begin of each bucket, in seconds since 1970. */
  times: number[];
  values: (number | null)[];
}

/** Spreads the points over all buckets. An empty bucket counts nothing, but an average of nothing is unknown. */
export function series(report: Report): Series {
  const step = stepMs[report.step];
  const empty = report.aggregate === 'COUNT' || report.aggregate === 'SUM' ? 0 : null;
  const known = new Map(report.points.map((p) => [Date.parse(p.at), p.value]));
  const times: number[] = [];
  const values: (number | null)[] = [];
  for (let at = Date.parse(report.from); at < Date.parse(report.to); at += step) {
    times.push(at / 1000);
    values.push(known.get(at) ?? empty);
  }
  return { times, values };
}

/** How many events are in the report. */
export function total(report: Report): number {
  return report.points.reduce((sum, p) => sum + p.count, 0);
}

/** The mean over all events of a report of averages; null when there are none. */
export function mean(report: Report): number | null {
  const known = report.points.filter((p): p is ReportPoint & { value: number } => p.value !== null);
  const events = known.reduce((sum, p) => sum + p.count, 0);
  return events === 0 ? null : known.reduce((sum, p) => sum + p.value * p.count, 0) / events;
}

/** The bucket with the greatest value; null when all are empty. */
export function peak(report: Report): ReportPoint | null {
  return report.points.reduce<ReportPoint | null>((top, p) => ((p.value ?? -Infinity) > (top?.value ?? -Infinity) ? p : top), null);
}

export interface Rank {
  key: string;
  count: number;
}

/** Values of the report's dimension by their events, most first; equal ones by name, so that they do not swap places. */
export function ranking(report: Report, most: number): Rank[] {
  const counts = new Map<string, number>();
  for (const p of report.points) counts.set(p.key, (counts.get(p.key) ?? 0) + p.count);
  return [...counts]
    .map(([key, count]) => ({ key, count }))
    .toSorted((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
    .slice(0, most);
}
