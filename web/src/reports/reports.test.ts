import { describe, expect, test } from 'vitest';

import { aggregatesOf, inputOf, newDraft, parseDraft, withMetric, writeDraft } from './draft';
import { colorOf, drawn, frameOf, sumOf } from './frame';
import type { Metric, ReadReport } from './operations';
import { bucketWord, change, factsOf, tickWord } from './words';

const now = Date.parse('2026-01-02T03:04:05Z');
const metric: Metric = {
  key: 'flights.delay',
  event: 'flight',
  value: 'delay',
  unique: null,
  quantiles: true,
  where: [],
  dimensions: ['origin'],
  maxKeys: 1000,
  minuteDays: 7,
  hourDays: 400,
};
const fresh = { ...newDraft('flights.count', now), zone: 'Europe/Berlin', from: '2026-01-01', to: '2026-01-02' };

describe('the draft', () => {
  test('offers what the metric can answer', () => {
    expect(aggregatesOf(metric)).toEqual(['COUNT', 'RATE', 'SUM', 'AVG', 'MIN', 'MAX', 'LAST', 'QUANTILE']);
    expect(aggregatesOf({ ...metric, value: null, quantiles: false, unique: 'actor' })).toEqual(['COUNT', 'RATE', 'UNIQUE']);
  });

  test('keeps of another metric what it can answer', () => {
    const draft = withMetric({ ...fresh, aggregate: 'UNIQUE', by: 'carrier', where: [{ dimension: 'carrier', in: ['AA'] }] }, metric);
    expect(draft).toMatchObject({ metric: 'flights.delay', aggregate: 'COUNT', by: null, where: [] });
    expect(withMetric({ ...fresh, aggregate: 'AVG', by: 'origin' }, metric)).toMatchObject({ aggregate: 'AVG', by: 'origin' });
  });

  test('of the last buckets has no days, of days no last', () => {
    expect(inputOf(fresh)).toMatchObject({ last: 60, fill: 'ZERO', timeZone: 'Europe/Berlin' });
    expect(inputOf(fresh)).not.toHaveProperty('from');
    const days = inputOf({ ...fresh, last: null, aggregate: 'AVG' });
    expect(days).toMatchObject({ from: '2025-12-31T23:00:00.000Z', to: '2026-01-02T23:00:00.000Z', fill: 'NULL' });
    expect(days).not.toHaveProperty('last');
  });

  test('asks for nothing that does not go together', () => {
    expect(inputOf({ ...fresh, top: 3, other: true })).not.toHaveProperty('top');
    expect(inputOf({ ...fresh, cumulative: true, average: 7 })).not.toHaveProperty('movingAverage');
    expect(inputOf({ ...fresh, cumulative: true, aggregate: 'RATE' }).cumulative).toBe(false);
    expect(inputOf({ ...fresh, where: [{ dimension: 'origin', in: [] }] }).where).toEqual([]);
  });

  test('is written as what differs, and read again', () => {
    expect(writeDraft(fresh, fresh)).toBe('{}');
    const draft = { ...fresh, by: 'origin', kind: 'bars' as const };
    expect(JSON.parse(writeDraft(draft, fresh))).toEqual({ by: 'origin', kind: 'bars' });
    expect(parseDraft(writeDraft(draft, fresh), fresh)).toEqual(draft);
    expect(parseDraft('{', fresh)).toEqual(fresh);
  });
});

const at = (hour: number) => `2026-01-02T0${hour}:00:00.000Z`;
const report: ReadReport = {
  metric: 'flights.count',
  aggregate: 'COUNT',
  step: 'HOUR',
  from: at(0),
  to: at(3),
  points: [
    { at: at(0), key: 'A', value: 1, count: 1 },
    { at: at(2), key: 'A', value: 2, count: 2 },
    { at: at(2), key: 'B', value: 5, count: 5 },
  ],
  compared: [{ at: at(1), key: 'B', value: 4, count: 4 }],
  totals: [
    { key: 'B', value: 5, count: 5, compared: 4 },
    { key: 'A', value: 3, count: 3, compared: null },
  ],
  source: 'ROLLUP_1H',
  exact: true,
  approximate: true,
  error: 0.01,
  through: null,
};

test('a frame has a column for each key, in the order of the totals, and a gap where there is nothing', () => {
  expect(frameOf(report)).toEqual({
    times: [at(0), at(1), at(2)],
    columns: [
      { key: 'B', values: [null, null, 5], compared: [null, 4, null] },
      { key: 'A', values: [1, null, 2], compared: [null, null, null] },
    ],
  });
  expect(frameOf({ ...report, compared: [] }).columns[0]?.compared).toBeNull();
});

test('a bar reaches as high as it and those it stands on', () => {
  expect(sumOf([[1, null, 2], [3, null, null]])).toEqual([4, null, 2]);
});

test('a chart draws the first eight and the others', () => {
  const columns = [...'abcdefghij'].map((key) => ({ key, values: [], compared: null }));
  expect(drawn([...columns, { key: '$other', values: [], compared: null }]).map((c) => c.key).join(' ')).toBe('a b c d e f g h $other');
  expect(colorOf('$other', 8)).toBe('--bb-series-other');
  expect(colorOf('a', 0)).toBe('--bb-series-1');
});

test('facts say where the numbers come from and how good they are', () => {
  expect(factsOf(report)).toEqual(['From numbers by the hour', 'All events counted', 'Estimated, ± 1 %']);
  expect(factsOf({ ...report, exact: false, approximate: false })[1]).toMatch(/computed anew/);
});

test.each([
  [15, 10, '+50 %'],
  [5, 10, '−50 %'],
  [-5, -10, '+50 %'],
  [3, 0, '+3'],
  [0, 0, '±0'],
  [null, 1, null],
])('change(%s, %s) is %s', (value, compared, want) => expect(change(value, compared)).toBe(want));

test('times are those of the zone', () => {
  expect(bucketWord('2026-01-01T23:00:00.000Z', 'DAY', 'Europe/Berlin')).toBe('Fri, 2 Jan 2026');
  expect(tickWord(now / 1000, 'HOUR', 'UTC', 3_600_000)).toBe('03:04');
  expect(tickWord(now / 1000, 'DAY', 'UTC', 30 * 86_400_000)).toBe('2 Jan');
  expect(tickWord(now / 1000, 'MONTH', 'UTC', 0)).toBe('Jan 26');
});
