import { expect, test } from 'vitest';

import { eventWords, methodWords } from './words';

test.each([
  ['session.session.started', 'Signed in'],
  ['account.password.changed', 'Password changed'],
  ['webauth.session.ended', 'Session ended by an administrator'],
  ['session.teapot.boiled', 'session.teapot.boiled'], // a newer server
  ['constructor', 'constructor'], // a name every object has
  ['', ''],
])('the event %j is %j', (kind, want) => expect(eventWords(kind)).toBe(want));

test.each([
  [[], ''],
  [['pwd'], 'password'],
  [['pwd', 'otp'], 'password and authenticator app'],
  [['fed', 'mail', 'kba'], 'linked account, mail, and recovery code'],
  [['pwd', 'iris'], 'password and iris'],
  [['toString'], 'toString'],
])('the methods %j are %j', (used, want) => expect(methodWords(used)).toBe(want));

// The server is the one who knows its kinds: what its packages define has words here.
const files = import.meta.glob<string>('../../../internal/{account,session,factor,social,webauth,throttle}/*.go', {
  query: '?raw',
  import: 'default',
  eager: true,
});
const kinds = Object.entries(files).flatMap(([path, text]) =>
  path.endsWith('_test.go') ? [] : [...text.matchAll(/\bkind\w+\s*=\s*"([a-z]+\.[a-z_]+\.[a-z_]+)"/g)].map(([, kind]) => kind ?? ''),
);

test('the kinds of the server are found', () => expect(kinds.length).toBeGreaterThan(35));

test.each([...new Set(kinds)])('%s has words', (kind) => expect(eventWords(kind)).not.toBe(kind));
