import { expect, test } from 'vitest';

import { parseFragment } from '../app/fragment';
import type { SignInResult } from './operations';
import { firstFactor, stepAfter, stepFrom } from './steps';

const expiresAt = '2026-01-02T03:04:05.678Z';

test('who is signed in has no step left, unless there is something to tell', () => {
  expect(stepAfter({ __typename: 'SignedIn', restored: false })).toBeNull();
  expect(stepAfter({ __typename: 'SignedIn', restored: true })).toEqual({ kind: 'restored' });
});

test('a further factor is asked for, of those this page knows', () => {
  const factors = ['TOTP', 'RETINA'] as 'TOTP'[];
  const step = stepAfter({ __typename: 'FactorRequired', flow: 'f', factors, expiresAt });
  expect(step).toEqual({ kind: 'factor', flow: 'f', factors: ['TOTP'], expiresAt });
});

test.each([[[]], [['RETINA']]])('factors %j are none this page knows', (factors) => {
  expect(stepAfter({ __typename: 'FactorRequired', flow: 'f', factors: factors as [], expiresAt })).toEqual({ kind: 'unknown' });
});

test('an address is to be verified', () => {
  const result = { __typename: 'VerificationRequired', flow: 'f', email: 'ada@example.com', expiresAt } as const;
  expect(stepAfter(result)).toEqual({ kind: 'verify', flow: 'f', email: 'ada@example.com', expiresAt });
});

test('an outcome of a newer server is told as such', () => {
  expect(stepAfter({ __typename: 'RiddleRequired' } as unknown as SignInResult)).toEqual({ kind: 'unknown' });
});

test('the callback of a provider goes on with a factor', () => {
  const fragment = parseFragment(`#flow=bbf_1&factors=TOTP,PASSKEY&expires=${expiresAt}`, 1);
  expect(stepFrom(fragment)).toEqual({ kind: 'factor', flow: 'bbf_1', factors: ['TOTP', 'PASSKEY'], expiresAt });
});

test.each(['', '#error=PROVIDER_FAILED', '#factors=TOTP'])('the fragment %j is no step', (hash) => {
  expect(stepFrom(parseFragment(hash, 1))).toBeNull();
});

test('a flow without a factor this page knows is a step it does not know', () => {
  expect(stepFrom(parseFragment('#flow=bbf_1', 1))).toEqual({ kind: 'unknown' });
});

test.each([
  [['RECOVERY_CODE', 'TOTP'], 'TOTP'],
  [['PASSKEY', 'TOTP'], 'PASSKEY'],
  [['RECOVERY_CODE'], 'RECOVERY_CODE'],
  [['RETINA'], undefined],
  [[], undefined],
])('of %j the first to be asked for is %s', (factors, want) => expect(firstFactor(factors as [])).toBe(want));
