import { expect, test } from 'vitest';

import { count, minutes, price } from './number';
import { humanize, initials, plural, sentence } from './text';
import { ago, ahead, date } from './time';

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
