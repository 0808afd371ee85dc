// Reports that are kept. Pure.
import { dayOf } from '../format/zone';
import { type Draft, inputOf, type Kind } from './draft';

const kinds: Record<Kind, string> = { line: 'LINE', bars: 'BAR', area: 'AREA', table: 'TABLE', value: 'VALUE' };

/** How a report is kept that shows what the draft does. */
export function savedOf(draft: Draft): { kind: string; query: Record<string, unknown> } {
  return { kind: kinds[draft.kind], query: { ...inputOf(draft) } };
}

/** The kind of picture of a kept report; undefined for those that are no reports over time. */
export function kindOf(kind: string): Kind | undefined {
  return (Object.keys(kinds) as Kind[]).find((k) => kinds[k] === kind);
}

/** The draft that a kept report came from. */
export function draftOf({ kind, query }: { kind: string; query: Record<string, unknown> }, fresh: Draft): Draft {
  const { timeZone, movingAverage, last, from, to, ...same } = query as Record<string, unknown> & { from?: string; to?: string };
  const zone = typeof timeZone === 'string' ? timeZone : 'UTC';
  return {
    ...fresh,
    ...(same as Partial<Draft>),
    zone,
    last: typeof last === 'number' ? last : null,
    ...(from && to && { from: dayOf(Date.parse(from), zone), to: dayOf(Date.parse(to) - 1, zone) }),
    average: typeof movingAverage === 'number' ? movingAverage : null,
    kind: kindOf(kind) ?? fresh.kind,
  };
}
