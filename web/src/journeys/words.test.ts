import { expect, test } from 'vitest';

import { duration, placeWord } from './words';

test.each([
  [null, '–'],
  [4.25, '4.3 s'],
  [600, '10 min'],
  [7200, '2 h'],
  [259_200, '3 days'],
])('duration(%s) is %s', (seconds, want) => expect(duration(seconds)).toBe(want));

test('names that begin with $ are the server’s own', () => {
  expect(placeWord('$end')).toBe('end');
  expect(placeWord('order')).toBe('order');
});
