import { CombinedError } from '@urql/core';
import { expect, test } from 'vitest';

import { blamed, isSignedOut, problem, problemOf } from './problem';

const graphQL = (message: string, extensions: Record<string, unknown>) =>
  new CombinedError({ graphQLErrors: [{ message, extensions }] });

test('a known code is put in plain words; field, request and details are kept', () => {
  const error = graphQL('quota', { code: 'QUOTA_EXCEEDED', field: 'input.type', requestId: 'r1', limit: 20, used: 20 });
  expect(problemOf(error)).toEqual({
    code: 'QUOTA_EXCEEDED',
    text: 'Your plan does not allow any more of this.',
    field: 'input.type',
    requestId: 'r1',
    details: { limit: 20, used: 20 },
  });
});

test('an unknown code shows the message of the server as a sentence', () => {
  expect(problemOf(graphQL('the moon is full.', { code: 'MOON_FULL' })).text).toBe('The moon is full.');
});

test('errors of a socket’s operation come as a list', () => {
  expect(problemOf([{ message: 'no', extensions: { code: 'FORBIDDEN' } }]).code).toBe('FORBIDDEN');
});

test.each([
  [{ code: 4401, reason: 'Unauthorized' }, 'UNAUTHENTICATED'],
  [{ code: 4403, reason: 'Session ended' }, 'UNAUTHENTICATED'],
  [{ code: 1006, reason: '' }, 'NETWORK'],
])('a socket closed with %j is %s', (event, code) => expect(problemOf(event).code).toBe(code));

test.each([new CombinedError({ networkError: new TypeError('fetch failed') }), new Error('boom'), undefined])(
  'without an answer it is the network',
  (error) => expect(problemOf(error).code).toBe('NETWORK'),
);

test('an error without a code is the server’s', () => {
  expect(problemOf(graphQL('oh', {})).code).toBe('INTERNAL');
});

test.each([
  [{ retryAfter: 1 }, 'Too many attempts. Try again in 1 s.'],
  [{ retryAfter: 119 }, 'Too many attempts. Try again in 119 s.'],
  [{ retryAfter: 121 }, 'Too many attempts. Try again in 3 min.'],
  [{}, 'Too many attempts. Try again later.'],
])('a limit with %j says when to come back', (details, want) => {
  expect(problemOf(graphQL('slow down', { code: 'RATE_LIMITED', ...details })).text).toBe(want);
});

test('the input blamed is the one the server names, and else the one the code is about', () => {
  const byCode = { PASSWORD_WEAK: 'password' };
  expect(blamed(problemOf(graphQL('no', { code: 'PASSWORD_WEAK', field: 'input.name' })), byCode)).toBe('name');
  expect(blamed(problem('PASSWORD_WEAK', ''), byCode)).toBe('password');
  expect(blamed(problem('INTERNAL', ''), byCode)).toBeUndefined();
  expect(blamed(null, byCode)).toBeUndefined();
});

test.each([
  ['UNAUTHENTICATED', true],
  ['SESSION_ENDED', true],
  ['REAUTH_REQUIRED', false],
  ['NETWORK', false],
])('%s tells that nobody is signed in: %s', (code, want) => expect(isSignedOut(problem(code, ''))).toBe(want));

test.each(['IMPERSONATION_FORBIDDEN', 'IMPERSONATION_REFUSED', 'SESSION_LIMIT', 'FACTOR_NEEDED', 'DATA_STALE'])('%s has words here', (code) =>
  expect(problem(code, 'as the server says it').text).not.toMatch(/as the server/i),
);
