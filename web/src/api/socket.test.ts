import { expect, test } from 'vitest';

import { reconnectHint } from './socket';

test.each([
  [1012, '{"reconnectInMs":1500}', 1500],
  [1012, '{"reconnectInMs":0}', 0],
  [1012, '{"reconnectInMs":9e9}', 30_000],
  [1012, '{"reconnectInMs":-1}', null],
  [1012, '{"reconnectInMs":"soon"}', null],
  [1012, '', null],
  [1006, '{"reconnectInMs":1500}', null],
])('closed with %d %j waits %s', (code, reason, want) => expect(reconnectHint({ code, reason })).toBe(want));
