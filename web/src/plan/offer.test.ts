import { expect, test } from 'vitest';

import type { Membership, Plan, PlanFeature, Price } from './fragments';
import { addonPrice, choices, priceOf, rules, stand } from './offer';

const price = (currency: string, n: number, unit: Price['every']['unit'], amountMinor = 900): Price => ({
  key: `${currency}-${n}-${unit}`.toLowerCase(),
  currency,
  amountMinor,
  every: { n, unit },
  overages: [],
});
const has = (feature: string, limit: number): PlanFeature => ({ feature, on: false, value: '', limit, onOver: 'BLOCK_NEW', reset: 'PERIOD', rollover: 0 });
const plan = (key: string, rank: number, rest: Partial<Plan> = {}): Plan => ({
  id: `plan:${key}`,
  key,
  version: 1,
  current: true,
  name: key,
  description: '',
  rank,
  isDefault: false,
  hidden: false,
  closed: false,
  trialDays: 0,
  graceDays: 0,
  prices: [],
  features: [],
  ...rest,
});
const month = price('EUR', 1, 'MONTH');
const year = price('EUR', 1, 'YEAR', 9000);
const free = plan('free', 0, { isDefault: true, features: [has('a', 1), has('b', 2)] });
const basic = plan('basic', 10, { prices: [month] });
const pro = plan('pro', 20, { prices: [year, month], features: [has('a', 9)] });
const plans = [free, basic, pro];
const on = (of: Plan, paid = '', rest: Partial<Membership> = {}) =>
  ({ plan: of, chosen: of, price: paid, status: 'ACTIVE', pending: null, ...rest }) as Membership;

test('the lengths on offer, the shortest first, and their currency where there are several', () => {
  expect(choices(plans)).toEqual([
    { value: 'eur-1-month', label: 'Monthly' },
    { value: 'eur-1-year', label: 'Yearly' },
  ]);
  expect(choices([...plans, plan('x', 1, { prices: [price('USD', 1, 'MONTH')] })]).map((c) => c.label)).toEqual([
    'Monthly, EUR',
    'Yearly, EUR',
    'Monthly, USD',
  ]);
  expect(choices([free])).toEqual([]);
});

test('a plan without the price that is meant shows its first', () => {
  expect(priceOf(pro, 'eur-1-month')).toBe(month);
  expect(priceOf(basic, 'eur-1-year')).toBe(month);
  expect(priceOf(free, 'eur-1-year')).toBeUndefined();
});

test('an add-on that renews costs what is of the length that is paid', () => {
  const addon = { key: 'a', name: 'A', recurring: true, days: 0, closed: false, gives: [], prices: [month, year] };
  expect(addonPrice(addon, 'eur-1-year')).toBe(year);
  expect(addonPrice(addon, '')).toBe(month);
  expect(addonPrice({ ...addon, prices: [month] }, 'eur-1-year')).toBeUndefined();
  expect(addonPrice({ ...addon, recurring: false, prices: [month] }, 'eur-1-year')).toBe(month);
});

test('what a plan does not say, the default plan does', () => {
  expect(rules(pro, plans).map((r) => `${r.feature} ${r.limit}`)).toEqual(['a 9', 'b 2']);
});

test('how a plan stands to the one somebody has', () => {
  expect(plans.map((p) => stand(p, p.prices[0], on(basic, month.key), plans))).toEqual(['down', 'mine', 'up']);
  expect(stand(pro, year, on(pro, month.key), plans)).toBe('other-price');
  expect(stand(free, undefined, on(free), plans)).toBe('mine');
  expect(stand(pro, month, on(free, month.key, { chosen: pro, status: 'EXPIRED' }), plans)).toBe('up');
  expect(stand(free, undefined, on(free, month.key, { chosen: pro, status: 'EXPIRED' }), plans)).toBe('mine');
  expect(stand({ ...basic, id: 'plan:basic2' }, month, on(basic, month.key), plans)).toBe('other-version');
  const pending = on(pro, month.key, { pending: { plan: basic, price: month.key, at: '' } });
  expect(stand(basic, month, pending, plans)).toBe('pending');
});
