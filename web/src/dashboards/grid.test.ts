import { expect, test } from 'vitest';

import { heightOf, inOrder, moved, packed } from './grid';

const tile = (w: number, h: number, x = 0, y = 0) => ({ x, y, w, h });

test('tiles stand side by side until a row is full, and the next begins below the highest', () => {
  expect(packed([tile(6, 2), tile(6, 4), tile(12, 4), tile(3, 2)])).toEqual([tile(6, 2, 0, 0), tile(6, 4, 6, 0), tile(12, 4, 0, 4), tile(3, 2, 0, 8)]);
});

test('they are read by rows, each from the left', () => {
  expect(inOrder([tile(1, 1, 3, 2), tile(1, 1, 6, 0), tile(1, 1, 0, 2)]).map((t) => t.x)).toEqual([6, 0, 3]);
});

test('one moves before or behind its neighbour, and not over the ends', () => {
  expect(moved(['a', 'b', 'c'], 1, -1)).toEqual(['b', 'a', 'c']);
  expect(moved(['a', 'b', 'c'], 1, 1)).toEqual(['a', 'c', 'b']);
  expect(moved(['a', 'b'], 0, -1)).toEqual(['a', 'b']);
  expect(moved(['a', 'b'], 1, 1)).toEqual(['a', 'b']);
});

test('the gaps between its rows are a part of a tile', () => expect(heightOf(2)).toBe(168));
