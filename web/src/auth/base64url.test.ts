import { expect, test } from 'vitest';

import { decode, encode } from './base64url';

const bytes = (...values: number[]) => Uint8Array.from(values).buffer;

test.each([
  [bytes(), ''],
  [bytes(0), 'AA'],
  [bytes(0xfb, 0xff), '-_8'],
  [bytes(0xff, 0xff, 0xff), '____'],
  [bytes(1, 2, 3, 4), 'AQIDBA'],
])('%o is %j and back', (plain, text) => {
  expect(encode(plain)).toBe(text);
  expect(new Uint8Array(decode(text))).toEqual(new Uint8Array(plain));
});

test('every byte survives', () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  expect(new Uint8Array(decode(encode(all.buffer)))).toEqual(all);
});

test.each(['AA==', 'a+b', 'a/b', 'ä', 'a b'])('%j is refused', (text) => expect(() => decode(text)).toThrow());
