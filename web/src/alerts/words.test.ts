import { expect, test } from 'vitest';

import { conditionWord, titleOf } from './words';

test.each([
  [{ condition: 'ABOVE', threshold: 10, recover: 8, for: 3 } as const, 'above 10, over at 8, 3 looks in a row'],
  [{ condition: 'BELOW', threshold: 0.5, recover: 0.5, for: 1 } as const, 'below 0.5'],
  [{ condition: 'ABSENT', threshold: 0, recover: 0, for: 2 } as const, 'no event, 2 looks in a row'],
])('%j is %s', (alert, want) => expect(conditionWord(alert)).toBe(want));

test('what was deleted has no title', () => {
  expect(titleOf({ title: 'Delays' })).toBe('Delays');
  expect(titleOf({})).toBe('What is gone or hidden');
});
