// A report as charts and tables want it. Pure.
import type { ReadReport } from './operations';

export interface Column {
  key: string;
  /** One for each time; null where there is none. */
  values: (number | null)[];
  /** Of the time compared with; null without one. */
  compared: (number | null)[] | null;
}

export interface Frame {
  /** Begin of each bucket, RFC 3339. */
  times: string[];
  /** One for each key, in the order of the totals. */
  columns: Column[];
}

/** Spreads the points of a report over its buckets and keys. */
export function frameOf(report: ReadReport): Frame {
  // Text order is time order.
  const times = [...new Set([...report.points, ...report.compared].map((p) => p.at))].toSorted();
  const place = new Map(times.map((at, i) => [at, i]));
  const spread = (points: ReadReport['points']) => {
    const byKey = new Map<string, (number | null)[]>();
    for (const { at, key, value } of points) {
      const values = byKey.get(key) ?? times.map(() => null);
      values[place.get(at) ?? 0] = value;
      byKey.set(key, values);
    }
    return byKey;
  };
  const [points, compared] = [spread(report.points), spread(report.compared)];
  const empty = times.map(() => null);
  const columns = report.totals.map(({ key }) => ({
    key,
    values: points.get(key) ?? empty,
    compared: report.compared.length > 0 ? (compared.get(key) ?? empty) : null,
  }));
  return { times, columns };
}

/** The sum of series in each bucket; null where none has a value. */
export function sumOf(series: (number | null)[][]): (number | null)[] {
  return (series[0] ?? []).map((_, i) => {
    const known = series.map((values) => values[i] ?? null).filter((v) => v !== null);
    return known.length > 0 ? known.reduce((sum, v) => sum + v, 0) : null;
  });
}

/** How many series a chart tells apart by their colours. */
export const mostLines = 8;

/** The colour of the i-th series. */
export function colorOf(key: string, i: number): string {
  return key === '$other' ? '--bb-series-other' : `--bb-series-${(i % mostLines) + 1}`;
}

/** The columns a chart shows: the first, and all that is not among them. */
export function drawn(columns: Column[]): Column[] {
  const named = columns.filter((c) => c.key !== '$other');
  return [...named.slice(0, mostLines), ...columns.filter((c) => c.key === '$other')];
}
