import { expect, test } from 'vitest';

import type { Report } from '../live/message';
import { peak, series, total } from './figures';

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
    compared: [],
    totals: [],
    source: 'ROLLUP_1M',
    exact: true,
    approximate: false,
    error: 0,
    ...rest,
  };
}

const delays = report({
  points: [
    { at: at(0), key: '', value: 10, count: 1 },
    { at: at(1), key: '', value: null, count: 0 },
    { at: at(2), key: '', value: -2, count: 3 },
    { at: at(3), key: '', value: null, count: 5 },
  ],
  totals: [{ key: '', value: 1, count: 9, compared: null }],
});

test('a series has the points as they come', () => {
  expect(series(delays)).toEqual({
    times: [0, 1, 2, 3].map((m) => Date.parse(at(m)) / 1000),
    values: [10, null, -2, null],
  });
});

test('the total is that of the server; without one nothing is known', () => {
  expect(total(delays)).toMatchObject({ value: 1, count: 9 });
  expect(total(report({}))).toEqual({ value: null, count: 0 });
});

test('the peak is among the buckets with events', () => {
  expect(peak(delays)?.at).toBe(at(0));
  expect(peak(report({}))).toBeNull();
  expect(peak(report({ aggregate: 'COUNT', points: [{ at: at(1), key: '', value: 0, count: 0 }] }))).toBeNull();
});
