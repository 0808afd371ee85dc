import { expect, test } from 'vitest';

import { createFragments, parseFragment } from './fragment';

test.each([
  ['#token=bbl_abc-_', 'token', 'bbl_abc-_'],
  ['#flow=f&factors=TOTP,PASSKEY&expires=2026-01-02T03%3A04%3A05.678Z', 'expires', '2026-01-02T03:04:05.678Z'],
  ['#flow=f&factors=TOTP%2CPASSKEY', 'factors', 'TOTP,PASSKEY'],
  ['#token=', 'token', null],
  ['#token', 'token', null],
  ['#top', 'token', null],
  ['', 'token', null],
  ['#%', 'token', null],
])('%j holds for %s %j', (hash, name, want) => expect(parseFragment(hash, 1).get(name)).toBe(want));

function browserAt(address: string) {
  const shown: string[] = [];
  let url = new URL(address, 'http://book.example');
  const fragments = createFragments(
    () => url,
    (to) => {
      shown.push(to);
      url = new URL(to, url);
    },
  );
  return { fragments, shown, go: (to: string) => (url = new URL(to, url)) };
}

test('a secret leaves the address bar when it is read, and stays in memory', () => {
  const { fragments, shown } = browserAt('/verify?a=1#token=secret');
  fragments.take();
  expect(shown).toEqual(['/verify?a=1']);
  fragments.take();
  expect(fragments.held().get('token')).toBe('secret');
});

test('a secret does not outlive its page', () => {
  const { fragments, go } = browserAt('/reset#token=secret');
  fragments.take();
  go('/documents');
  fragments.take();
  expect(fragments.held().get('token')).toBeNull();
  go('/reset');
  fragments.take();
  expect(fragments.held().get('token')).toBeNull();
});

test('each fragment taken is another one, also on the same page', () => {
  const { fragments, go } = browserAt('/reset#token=one');
  fragments.take();
  const first = fragments.held();
  go('/reset#token=two');
  fragments.take();
  expect(fragments.held().get('token')).toBe('two');
  expect(fragments.held().serial).not.toBe(first.serial);
});

test('without a fragment nothing is written to the address bar', () => {
  const { fragments, shown } = browserAt('/documents');
  fragments.take();
  expect(shown).toEqual([]);
  expect(fragments.held().serial).toBe(0);
});
