// What a person asks for in the report builder, and the report it becomes. Pure.
import { dayBegin, dayOf, ownZone } from '../format/zone';
import type { Filter, Metric, ReportInput } from './operations';

export type Aggregate = NonNullable<ReportInput['aggregate']>;
export type Step = NonNullable<ReportInput['step']>;
export type Fill = NonNullable<ReportInput['fill']>;
export type Compare = NonNullable<ReportInput['compare']>;
export type Weekday = NonNullable<ReportInput['weekStart']>;
export type Kind = 'line' | 'bars' | 'area' | 'table' | 'value';

/** The state of the builder: all there is to set, in the form in which it is set. */
export interface Draft {
  metric: string;
  aggregate: Aggregate;
  quantile: number;
  step: Step;
  zone: string;
  weekStart: Weekday;
  /** The last so many buckets, live; null for the days from and to. */
  last: number | null;
  /** First and last day, both shown. */
  from: string;
  to: string;
  by: string | null;
  top: number;
  other: boolean;
  where: Filter[];
  /** Null leaves it to the aggregate. */
  fill: Fill | null;
  compare: Compare;
  /** Over how many buckets; null for none. */
  average: number | null;
  cumulative: boolean;
  kind: Kind;
}

/** A builder that shows the metric of the last hour. */
export function newDraft(metric: string, nowMs: number): Draft {
  return {
    metric,
    aggregate: 'COUNT',
    quantile: 0.95,
    step: 'MINUTE',
    zone: ownZone,
    weekStart: 'MONDAY',
    last: 60,
    from: dayOf(nowMs - 6 * 86_400_000, ownZone),
    to: dayOf(nowMs, ownZone),
    by: null,
    top: 5,
    other: false,
    where: [],
    fill: null,
    compare: 'NONE',
    average: null,
    cumulative: false,
    kind: 'line',
  };
}

/** The aggregates that the metric can answer. */
export function aggregatesOf(metric: Metric): Aggregate[] {
  return [
    'COUNT',
    'RATE',
    ...(metric.value ? (['SUM', 'AVG', 'MIN', 'MAX', 'LAST'] as const) : []),
    ...(metric.unique ? (['UNIQUE'] as const) : []),
    ...(metric.quantiles ? (['QUANTILE'] as const) : []),
  ];
}

/** Another metric, with what of the draft it can answer. */
export function withMetric(draft: Draft, metric: Metric): Draft {
  const aggregate = aggregatesOf(metric).includes(draft.aggregate) ? draft.aggregate : 'COUNT';
  const by = draft.by && metric.dimensions.includes(draft.by) ? draft.by : null;
  return { ...draft, metric: metric.key, aggregate, by, where: [] };
}

/** Whether an empty bucket is worth 0, as the number of nothing is, or nothing that is known. */
export function isZeroWhenEmpty(aggregate: Aggregate): boolean {
  return ['COUNT', 'SUM', 'RATE', 'UNIQUE'].includes(aggregate);
}

/** Whether the numbers of keys add up to that of all. */
export function isAdditive(aggregate: Aggregate): boolean {
  return ['COUNT', 'SUM', 'RATE'].includes(aggregate);
}

/** The report of the draft. A filter without a dimension or a value is not one yet. */
export function inputOf(draft: Draft): ReportInput {
  const { by, last, zone } = draft;
  return {
    metric: draft.metric,
    aggregate: draft.aggregate,
    ...(draft.aggregate === 'QUANTILE' && { quantile: draft.quantile }),
    step: draft.step,
    timeZone: zone,
    weekStart: draft.weekStart,
    ...(last ? { last } : { from: dayBegin(draft.from, zone), to: dayBegin(draft.to, zone, 1) }),
    ...(by && { by, top: draft.top, other: draft.other }),
    where: draft.where.filter((f) => f.dimension && f.in.length > 0).map((f) => ({ dimension: f.dimension, in: f.in, not: f.not ?? false })),
    fill: draft.fill ?? (isZeroWhenEmpty(draft.aggregate) ? 'ZERO' : 'NULL'),
    compare: draft.compare,
    ...(draft.average && !draft.cumulative && { movingAverage: draft.average }),
    cumulative: draft.cumulative && draft.aggregate !== 'RATE',
  };
}

/** The draft as a part of an address, and back; what is not there or makes no sense is as in a new one. */
export function parseDraft(text: string | null, fresh: Draft): Draft {
  if (!text) return fresh;
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null ? { ...fresh, ...read } : fresh;
  } catch {
    return fresh;
  }
}

/** Only what differs from a new draft: short addresses. */
export function writeDraft(draft: Draft, fresh: Draft): string {
  const differs = Object.entries(draft).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(fresh[name as keyof Draft]));
  return JSON.stringify(Object.fromEntries(differs));
}
