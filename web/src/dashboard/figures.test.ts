import { expect, test } from 'vitest';

import type { Report } from '../live/message';
import { mean, peak, ranking, series, total } from './figures';

const at = (minute: number) => `2026-01-02T03:0${minute}:00.000Z`;

function report(rest: Partial<Report>): Report {
  return {
    __typename: 'Report',
    metric: 'flights.delay',
    aggregate: 'AVG',
    step: 'MINUTE',
    from: at(0),
    to: at(4),
    through: null,
    points: [],
    ...rest,
  };
}

const delays = report({
  points: [
    { at: at(0), key: '', value: 10, count: 1 },
    { at: at(2), key: '', value: -2, count: 3 },
    { at: at(3), key: '', value: null, count: 5 },
  ],
});

test('a series has every bucket; an empty average is unknown', () => {
  expect(series(delays)).toEqual({
    times: [0, 1, 2, 3].map((m) => Date.parse(at(m)) / 1000),
    values: [10, null, -2, null],
  });
});

test('an empty count is zero', () => {
  const counts = report({ aggregate: 'COUNT', points: [{ at: at(1), key: '', value: 4, count: 4 }] });
  expect(series(counts).values).toEqual([0, 4, 0, 0]);
});

test.each([
  ['HOUR', '2026-01-02T06:00:00.000Z', 3],
  ['DAY', '2026-01-05T03:00:00.000Z', 3],
] as const)('a series of the step %s', (step, to, want) => {
  expect(series(report({ step, to })).times).toHaveLength(want);
});

test('the mean weighs each bucket by its events, those without a value left out', () => {
  expect(mean(delays)).toBe((10 * 1 - 2 * 3) / 4);
  expect(mean(report({}))).toBeNull();
});

test('total and peak', () => {
  expect(total(delays)).toBe(9);
  expect(peak(delays)?.at).toBe(at(0));
  expect(peak(report({}))).toBeNull();
});

test('the ranking sums over time, most first, equal ones by name', () => {
  const origins = report({
    points: [
      { at: at(0), key: 'SFO', value: 1, count: 1 },
      { at: at(0), key: 'LAX', value: 2, count: 2 },
      { at: at(1), key: 'SFO', value: 1, count: 1 },
      { at: at(1), key: 'ORD', value: 5, count: 5 },
      { at: at(2), key: 'BOS', value: 1, count: 1 },
    ],
  });
  expect(ranking(origins, 3)).toEqual([
    { key: 'ORD', count: 5 },
    { key: 'LAX', count: 2 },
    { key: 'SFO', count: 2 },
  ]);
});
