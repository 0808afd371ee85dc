import { expect, test } from 'vitest';

import type { Entitlement, Membership, PlanFeature, Price } from './fragments';
import type { Feature } from './operations';
import { amount, balanceWords, type Features, fill, hasWords, money, nextWords, oftenWords, priceWords, ruleWords, sourceWords, useDetails, usedWords } from './words';

const feature = (key: string, kind: Feature['kind'], name: string, unit = ''): [string, Feature] => [key, { key, kind, name, unit, description: '' }];
const features: Features = new Map([
  feature('docs', 'COUNTED', 'Documents'),
  feature('calls', 'METERED', 'API calls'),
  feature('export', 'BOOLEAN', 'Export of reports'),
  feature('support', 'STATIC', 'Support'),
  feature('depth', 'STATIC', 'Depth', 'levels'),
]);
const rule = (of: string, rest: Partial<PlanFeature> = {}): PlanFeature => ({
  feature: of,
  on: false,
  value: '',
  limit: null,
  onOver: 'BLOCK_NEW',
  reset: 'PERIOD',
  rollover: 0,
  ...rest,
});
const price: Price = {
  key: 'eur-1-month',
  currency: 'EUR',
  amountMinor: 1900,
  every: { n: 1, unit: 'MONTH' },
  overages: [{ feature: 'calls', amountMinor: 1 }],
};

test.each([
  [900, 'EUR', '€9'],
  [-450, 'EUR', '−€4.50'],
  [0, 'JPY', '¥0'],
  [0, '', '0'],
])('%d of %s is %s', (amountMinor, currency, want) => expect(money({ amountMinor, currency })).toBe(want));

test.each([
  [1, 'MONTH', 'Monthly', '€9 a month'],
  [1, 'YEAR', 'Yearly', '€9 a year'],
  [3, 'MONTH', 'Every 3 months', '€9 for 3 months'],
  [30, 'DAY', 'Every 30 days', '€9 for 30 days'],
] as const)('%d %s', (n, unit, often, costs) => {
  expect(oftenWords({ n, unit })).toBe(often);
  expect(priceWords({ amountMinor: 900, currency: 'EUR', every: { n, unit } })).toBe(costs);
});

test.each([
  [1200, '', '1,200'],
  [3, 'levels', '3 levels'],
  [0, 'bytes', '0 bytes'],
  [999, 'bytes', '999 bytes'],
  [1_500_000, 'bytes', '1.5 MB'],
])('amount(%d, %j) is %s', (n, unit, want) => expect(amount(n, unit)).toBe(want));

test.each([
  [rule('docs', { limit: 200 }), 'Documents: 200'],
  [rule('docs'), 'Documents: no limit'],
  [rule('docs', { limit: 5, onOver: 'READ_ONLY' }), 'Documents: 5; above that nothing can be changed'],
  [rule('calls', { limit: 20_000, rollover: 5000 }), 'API calls: 20,000 each period, up to 5,000 of what is left carried over'],
  [rule('calls', { limit: 9, reset: 'CALENDAR_MONTH' }), 'API calls: 9 each calendar month'],
  [rule('calls', { limit: 9, reset: 'NEVER', onOver: 'ALLOW_BILL' }), 'API calls: 9 in all; above that €0.01 each'],
  [rule('export', { on: true }), 'Export of reports'],
  [rule('export'), null],
  [rule('support', { value: 'Forum' }), 'Support: Forum'],
  [rule('depth', { limit: 3 }), 'Depth: 3 levels'],
  [rule('not.known', { limit: 3 }), 'Not known: 3'],
])('what a plan has, in words %#', (of, want) => expect(ruleWords(of, features, price)).toBe(want));

test('above a soft limit without a price, it goes on', () => {
  expect(ruleWords(rule('calls', { limit: 9, onOver: 'ALLOW_BILL' }), features)).toBe('API calls: 9 each period; above that it goes on');
});

const entitlement = (rest: Partial<Entitlement>): Entitlement => ({
  feature: 'calls',
  kind: 'METERED',
  on: false,
  value: '',
  limit: 100,
  carried: 0,
  used: 40,
  reserved: 0,
  remaining: 60,
  overage: 0,
  level: 'OK',
  resetsAt: null,
  source: 'plan',
  until: null,
  why: [],
  ...rest,
});

test('a use in words', () => {
  const day = (at: string) => at.slice(0, 10);
  expect(usedWords(entitlement({}))).toBe('40 of 100');
  expect(usedWords(entitlement({ carried: 20 }))).toBe('40 of 120');
  expect(usedWords(entitlement({ limit: null }))).toBe('40 used, no limit');
  expect(useDetails(entitlement({ carried: 20, reserved: 5, resetsAt: '2026-02-01T00:00:00.000Z' }), '', day)).toEqual([
    '60 left',
    '5 reserved',
    '20 carried over',
    'from 0 again on 2026-02-01',
  ]);
  expect(useDetails(entitlement({ overage: 7, remaining: 0, source: 'override' }), '', day)).toEqual(['7 above the limit', 'an exception']);
});

test.each([
  [{ used: 40 }, 40, 0],
  [{ used: 40, carried: 100 }, 20, 0],
  [{ used: 90, reserved: 20 }, 90, 10],
  [{ used: 150, reserved: 5 }, 100, 0],
  [{ limit: 0, used: 0 }, 100, 0],
  [{ limit: null, used: 5 }, 0, 0],
])('a bar is as full as %o', (of, used, reserved) => expect(fill(entitlement(of))).toEqual({ used, reserved }));

test('what somebody has without a count', () => {
  expect(hasWords(entitlement({ kind: 'BOOLEAN', on: true }))).toBe('Yes');
  expect(hasWords(entitlement({ kind: 'BOOLEAN' }))).toBe('No');
  expect(hasWords(entitlement({ kind: 'STATIC', value: 'Forum', limit: null }))).toBe('Forum');
  expect(hasWords(entitlement({ kind: 'STATIC', limit: 3 }), 'levels')).toBe('3 levels');
  expect(hasWords(entitlement({ kind: 'STATIC', limit: null }))).toBe('No limit');
  expect(hasWords(entitlement({ kind: 'STATIC', limit: 0, source: 'none' }))).toBe('No');
});

test('what says so', () => {
  const day = (at: string) => at;
  expect(sourceWords(entitlement({}), day)).toBe('by the plan');
  expect(sourceWords(entitlement({ source: 'override', until: 'U' }), day)).toBe('by an exception until U');
});

test('what comes next', () => {
  const day = (at: string) => at;
  const m = (status: Membership['status'], rest: Partial<Membership> = {}) =>
    ({ status, pending: null, price: 'eur-1-month', until: 'U', periodEnd: 'E', chosen: { name: 'Pro' }, plan: { name: 'Free' }, ...rest }) as Membership;
  expect(nextWords(m('TRIALING'), day)).toBe('The trial of Pro goes on until U.');
  expect(nextWords(m('ACTIVE'), day)).toBe('It renews on E.');
  expect(nextWords(m('ACTIVE', { price: '' }), day)).toBeNull();
  expect(nextWords(m('ACTIVE', { pending: {} as Membership['pending'] }), day)).toBeNull();
  expect(nextWords(m('PAST_DUE', { plan: { id: '', key: '', version: 1, name: 'Pro' } }), day)).toBe('The next period is not paid. Pro stays until U.');
  expect(nextWords(m('CANCELED'), day)).toBe('Pro ends on U and is not renewed.');
  expect(nextWords(m('EXPIRED'), day)).toBe('Pro is over: Free applies.');
  expect(nextWords(m('SUSPENDED'), day)).toBe('An administrator has put Pro on hold: Free applies.');
});

test('a balance', () => {
  expect(balanceWords({ amountMinor: 0, currency: '' })).toBeNull();
  expect(balanceWords({ amountMinor: 500, currency: 'EUR' })).toBe('€5 is owed.');
  expect(balanceWords({ amountMinor: -500, currency: 'EUR' })).toBe('A credit of €5 pays what comes next.');
});
