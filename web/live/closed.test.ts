import { expect, test } from 'vitest';

import { isFinal, reconnectHint } from './closed';

test.each([
  [1012, '{"reconnectInMs":1500}', 1500],
  [1012, '{"reconnectInMs":0}', 0],
  [1012, '{"reconnectInMs":9e9}', 30_000],
  [1012, '{"reconnectInMs":-1}', null],
  [1012, '{"reconnectInMs":"soon"}', null],
  [1012, '', null],
  [1006, '{"reconnectInMs":1500}', null],
])('closed with %d %j waits %s', (code, reason, want) => expect(reconnectHint({ code, reason })).toBe(want));

test.each([
  [4401, true],
  [4403, true],
  [4408, false],
  [4290, false],
  [1012, false],
  [1006, false],
])('whether %d is for good: %s', (code, want) => expect(isFinal({ code, reason: '' })).toBe(want));

test.each([null, undefined, new Error('no'), 'text'])('%s is no close', (event) => {
  expect(isFinal(event)).toBe(false);
  expect(reconnectHint(event)).toBeNull();
});
