import { expect, test } from 'vitest';

import { problem } from '../api/problem';
import type { Membership, Plan } from './fragments';
import { atOnce, dueWords, isOld, plain, question, trialWords, type Wish } from './previewState';
import { money, priceWords } from './words';

const price = { key: 'eur-1-month', currency: 'EUR', amountMinor: 900, every: { n: 1, unit: 'MONTH' as const }, overages: [] };
const wish: Wish = { plan: { id: 'plan:1' } as Plan, price };
const member = (rest: Partial<Membership>) => ({ price: '', status: 'ACTIVE', ...rest }) as Membership;

test('a zone is said by who begins to pay, and by nobody else', () => {
  const zone = 'Europe/Berlin';
  expect(question(wish, plain, member({}), zone)).toEqual({
    plan: 'plan:1',
    price: 'eur-1-month',
    mode: 'AUTO',
    coupon: null,
    quantity: 1,
    timeZone: zone,
  });
  expect(question(wish, plain, member({ price: 'eur-1-year' }), zone).timeZone).toBeNull();
  expect(question(wish, plain, member({ price: 'eur-1-year', status: 'EXPIRED' }), zone).timeZone).toBe(zone);
  expect(question({ ...wish, price: undefined }, plain, member({}), zone)).toMatchObject({ price: null, timeZone: null });
});

test('a coupon and the time are asked for with a plan, a number with an add-on', () => {
  expect(question(wish, { mode: 'NOW', coupon: ' welcome ' }, member({}), 'UTC')).toMatchObject({ mode: 'NOW', coupon: 'welcome' });
  const addon = { key: 'more', name: 'More', recurring: true, days: 0, closed: false, gives: [], prices: [] };
  expect(question({ addon, quantity: 3 }, plain, member({}), 'UTC')).toEqual({ addon: 'more', quantity: 3, mode: 'AUTO' });
});

test('two failures ask for another preview', () => {
  const codes = ['PREVIEW_EXPIRED', 'PLAN_STALE', 'PAYMENT_DECLINED', 'PLAN_BUSY'];
  expect(codes.map((code) => isOld(problem(code, '')))).toEqual([true, true, false, false]);
});

test('what is due, and when', () => {
  const preview = (due: number, net: number, effectiveAt: string) => ({
    token: '',
    expiresAt: '',
    now: '2026-01-02T00:00:00.000Z',
    effectiveAt,
    lines: [],
    net: { amountMinor: net, currency: 'EUR' },
    due: { amountMinor: due, currency: 'EUR' },
    overQuota: [],
  });
  const now = preview(900, 900, '2026-01-02T00:00:00.000Z');
  expect(atOnce(now)).toBe(true);
  expect(dueWords(now, money)).toBe('€9 to pay now');
  expect(dueWords(preview(900, 900, '2026-02-02T00:00:00.000Z'), money)).toBe('€9 to pay then');
  expect(dueWords(preview(0, 900, '2026-01-02T00:00:00.000Z'), money)).toBe('Nothing to pay now');
  expect(dueWords(preview(0, -900, '2026-01-02T00:00:00.000Z'), money)).toBe('Nothing to pay; the rest becomes a credit');
});

test('a trial is said where one begins', () => {
  const at = { now: '2026-01-02T00:00:00.000Z', effectiveAt: '2026-01-02T00:00:00.000Z', lines: [] };
  const trial: Wish = { plan: { id: 'plan:1', trialDays: 14 } as Plan, price };
  expect(trialWords(trial, at, priceWords)).toBe('It begins with a trial of 14 days; after that it is €9 a month.');
  expect(trialWords({ ...trial, price: undefined }, at, priceWords)).toBeNull();
  expect(trialWords(trial, { ...at, effectiveAt: '2026-02-02T00:00:00.000Z' }, priceWords)).toBeNull();
  const line = { kind: 'CHARGE' as const, text: '', from: null, to: null, quantity: 1, amountMinor: 900 };
  expect(trialWords(trial, { ...at, lines: [line] }, priceWords)).toBeNull();
});
