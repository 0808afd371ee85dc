import { expect, test } from 'vitest';

import type { Feature } from '../plan/operations';
import { change } from './changes';
import { minor } from './minor';
import { clearInput, type Draft, overrideInput, overrideWords } from './override';

test.each([
  ['+ plan basic', { sign: '+', text: 'plan basic' }],
  ['~ plan pro: rank 1 -> 2', { sign: '~', text: 'plan pro: rank 1 -> 2' }],
  ['- coupon welcome', { sign: '-', text: 'coupon welcome' }],
  ['something else', { sign: null, text: 'something else' }],
])('%s', (line, want) => expect(change(line)).toEqual(want));

test.each([
  ['', 'EUR', null],
  ['12', 'EUR', 1200],
  ['12.5', 'EUR', 1250],
  ['12,05', 'EUR', 1205],
  ['500', 'JPY', 500],
  ['5.1', 'JPY', undefined],
  ['1.234', 'EUR', undefined],
  ['-1', 'EUR', undefined],
  ['0', 'EUR', undefined],
  ['all', 'EUR', undefined],
])('minor(%j, %s) is %s', (text, currency, want) => expect(minor(text, currency)).toBe(want));

const draft: Draft = { feature: 'docs', kind: 'COUNTED', on: true, value: 'x', any: false, limit: '500', expires: '', reason: ' a good one ' };

test('an exception is sent as what its feature is', () => {
  expect(overrideInput('user:1', draft)).toMatchObject({
    user: 'user:1',
    feature: { feature: 'docs', on: false, value: '', limit: 500 },
    expiresAt: null,
    reason: 'a good one',
    clear: false,
  });
  expect(overrideInput('user:1', { ...draft, any: true }).feature.limit).toBeNull();
  expect(overrideInput('user:1', { ...draft, kind: 'BOOLEAN' }).feature).toMatchObject({ on: true, value: '', limit: null });
  expect(overrideInput('user:1', { ...draft, kind: 'STATIC' }).feature).toMatchObject({ on: false, value: 'x', limit: null });
  expect(overrideInput('user:1', { ...draft, expires: '2026-01-02T10:00' }).expiresAt).toMatch(/^2026-01-0\dT.*Z$/);
});

test('an exception in words, and taken back', () => {
  const docs: Feature = { key: 'docs', kind: 'COUNTED', name: 'Documents', unit: '', description: '' };
  const exception = { feature: 'docs', on: false, value: '', limit: 500, expiresAt: null, reason: 'r' };
  expect(overrideWords(exception, new Map([['docs', docs]]))).toBe('Documents: 500');
  expect(overrideWords({ ...exception, limit: null }, new Map())).toBe('Docs: any number');
  expect(clearInput('user:1', exception)).toMatchObject({ clear: true, feature: { feature: 'docs', limit: 500 } });
});
