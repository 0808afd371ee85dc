import { expect, test } from 'vitest';

import { compact, count, figure, minutes, percent, price } from './number';
import { humanize, initials, plural, sentence } from './text';
import { ago, ahead, date } from './time';
import { dayBegin, dayOf } from './zone';

test.each([
  [0, '0'],
  [1234567, '1,234,567'],
])('count(%d) is %s', (n, want) => expect(count(n)).toBe(want));

test.each([
  [null, '–'],
  [3.25, '3.3 min'],
  [-3.2, '−3.2 min'],
  [-0.01, '0.0 min'],
  [1234.5, '1,234.5 min'],
])('minutes(%s) is %s', (n, want) => expect(minutes(n)).toBe(want));

test.each([
  [0, 'EUR', '€0'],
  [900, 'USD', '$9'],
  [1250, 'EUR', '€12.50'],
  [500, 'JPY', '¥500'],
])('price(%d, %s) is %s', (amount, currency, want) => expect(price(amount, currency)).toBe(want));

test.each([
  ['Ada Administrator', 'AA'],
  ['  Grace  Brewster  Hopper ', 'GH'],
  ['ada', 'A'],
  ['𝒜da Łovelace', '𝒜Ł'],
  ['', '?'],
])('initials(%j) is %s', (name, want) => expect(initials(name)).toBe(want));

test.each([
  ['registry.documents', 'Registry documents'],
  ['usGross', 'Us gross'],
  ['content_type', 'Content type'],
  ['', ''],
])('humanize(%j) is %s', (key, want) => expect(humanize(key)).toBe(want));

test('plural', () => {
  expect(plural(1, 'flight')).toBe('1 flight');
  expect(plural(1200, 'flight')).toBe('1,200 flights');
  expect(plural(2, 'entry', 'entries')).toBe('2 entries');
});

test.each(['make documents', 'Make documents.'])('sentence(%j)', (text) => expect(sentence(text)).toBe('Make documents.'));

const now = Date.parse('2026-01-02T12:00:00.000Z');
test.each([
  ['2026-01-02T12:00:04.000Z', 'now'], // the server's clock may be ahead of the reader's
  ['2026-01-02T11:59:57.000Z', 'now'],
  ['2026-01-02T11:59:48.000Z', '12 s ago'],
  ['2026-01-02T11:54:30.000Z', '5 min ago'],
  ['2026-01-02T09:00:00.000Z', '3 h ago'],
])('ago(%s) is %s', (at, want) => expect(ago(at, now)).toBe(want));

test('long ago is a day', () => {
  const at = '2025-12-30T12:00:00.000Z';
  expect(ago(at, now)).toBe(date(at));
  expect(date(at)).toBe('30 Dec 2025');
});

test.each([
  ['2026-01-02T11:59:00.000Z', 'now'], // over by the reader's clock
  ['2026-01-02T12:00:00.900Z', 'now'],
  ['2026-01-02T12:00:40.000Z', 'in 40 s'],
  ['2026-01-02T12:12:59.000Z', 'in 12 min'],
  ['2026-01-02T15:00:00.000Z', 'in 3 h'],
  ['2026-01-04T11:00:00.000Z', 'in 47 h'],
  ['2026-01-16T13:00:00.000Z', 'in 14 days'],
])('ahead(%s) is %s', (at, want) => expect(ahead(at, now)).toBe(want));

test.each([
  [null, '–'],
  [12345.6, '12,346'],
  [17.25, '17.3'],
  [0.0421, '0.042'],
  [-3, '−3'],
])('figure(%s) is %s', (n, want) => expect(figure(n)).toBe(want));

test('compact and percent', () => {
  expect(compact(-1250)).toBe('−1.25K');
  expect(percent(0.1234)).toBe('12.3 %');
});

test.each([
  ['2026-01-02', 'UTC', 0, '2026-01-02T00:00:00.000Z'],
  ['2026-01-02', 'Europe/Berlin', 0, '2026-01-01T23:00:00.000Z'],
  ['2026-03-29', 'Europe/Berlin', 0, '2026-03-28T23:00:00.000Z'], // the clocks go forward on this day
  ['2026-03-29', 'Europe/Berlin', 1, '2026-03-29T22:00:00.000Z'],
  ['2026-11-01', 'America/New_York', 0, '2026-11-01T04:00:00.000Z'], // and back on this
  ['2026-11-01', 'America/New_York', 1, '2026-11-02T05:00:00.000Z'],
  ['2026-01-02', 'Asia/Kolkata', 0, '2026-01-01T18:30:00.000Z'],
])('dayBegin(%s, %s, %d) is %s', (day, zone, more, want) => expect(dayBegin(day, zone, more)).toBe(want));

test('dayOf is the day of the zone', () => {
  expect(dayOf(Date.parse('2026-01-01T20:00:00Z'), 'Asia/Kolkata')).toBe('2026-01-02');
  expect(dayOf(Date.parse('2026-01-01T20:00:00Z'), 'UTC')).toBe('2026-01-01');
});
