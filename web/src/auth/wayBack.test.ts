import { expect, test } from 'vitest';

import { wayBack, wayInFrom } from './wayBack';

const of = (to: string) => wayBack(new URLSearchParams({ to }));

test.each([
  ['/', ''],
  ['/documents', ''],
  ['/documents', 'type=note&open=a%26b'],
])('the way in from %s %j leads back to it', (path, search) => {
  const way = new URL(wayInFrom(path, search), 'https://book.example');
  expect(way.pathname).toBe('/sign-in');
  expect(way.searchParams.get('anew')).toBe('1');
  expect(wayBack(way.searchParams)).toBe(search ? `${path}?${search}` : path);
});

test.each([
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example/',
  '/\t/evil.example/',
  '/\n/evil.example/',
  '/documents\\..',
  'javascript:alert(1)',
  'documents',
  '',
])('%j is no page of the console', (to) => expect(of(to)).toBeNull());

test.each(['/sign-in', '/sign-in?to=/', '/register#token=x'])('%s is a way in itself, and leads nowhere', (to) => expect(of(to)).toBeNull());

test('a door that is worth seeing signed in is a way back', () => expect(of('/mailbox')).toBe('/mailbox'));

test('without a word about it there is no way back', () => expect(wayBack(new URLSearchParams())).toBeNull());
