// The numbers of the dashboard, taken from reports. Pure.
import type { Report, ReportPoint, ReportTotal } from '../live/message';

/** A report without dimension as a chart wants it: one value for each of its points. */
export interface Series {
  /** Begin of each bucket, in seconds since 1970. */
  times: number[];
  values: (number | null)[];
}

/** The points, side by side. */
export function series(report: Report): Series {
  return { times: report.points.map((p) => Date.parse(p.at) / 1000), values: report.points.map((p) => p.value) };
}

/** All buckets of a report without dimension together. */
export function total(report: Report): Pick<ReportTotal, 'value' | 'count'> {
  return report.totals[0] ?? { value: null, count: 0 };
}

/** The bucket with the greatest value; null when all are empty. */
export function peak(report: Report): ReportPoint | null {
  const some = report.points.filter((p) => p.count > 0);
  return some.reduce<ReportPoint | null>((top, p) => ((p.value ?? -Infinity) > (top?.value ?? -Infinity) ? p : top), null);
}
