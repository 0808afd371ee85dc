import { expect, test } from 'vitest';

import { reasonProblem } from './reason';

test.each([
  ['', false],
  ['123456789', false],
  ['  123456789  ', false], // what is around it does not count
  ['1234567890', true],
  ['é'.repeat(10), true],
  ['😀'.repeat(9), false], // nine characters, though eighteen code units
  ['😀'.repeat(300), true],
  ['x'.repeat(300), true],
  ['x'.repeat(301), false],
])('the reason %j will do: %s', (text, will) => expect(reasonProblem(text) === null).toBe(will));
