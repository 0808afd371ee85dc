import { expect, test } from 'vitest';

import { box, layout } from './layout';

test('what is included stands further right, and no two boxes overlap', () => {
  const ids = ['a', 'b', 'c', 'd', 'alone'];
  const edges = [
    { from: 'd', to: 'b' },
    { from: 'd', to: 'c' },
    { from: 'b', to: 'a' },
    { from: 'c', to: 'a' },
    { from: 'd', to: 'a' },
    { from: 'd', to: 'unknown' },
  ];
  const { places, width, height } = layout(ids, edges);
  expect([...places.keys()].sort()).toEqual([...ids].sort());
  const x = (id: string) => places.get(id)?.x ?? Number.NaN;
  expect(x('d')).toBeLessThan(x('b'));
  expect(x('b')).toBe(x('c'));
  expect(x('b')).toBeLessThan(x('a'));
  const boxes = [...places.values()];
  for (const [i, a] of boxes.entries()) {
    expect(a.x + box.width).toBeLessThanOrEqual(width);
    expect(a.y + box.height).toBeLessThanOrEqual(height);
    for (const b of boxes.slice(i + 1)) {
      expect(Math.abs(a.x - b.x) >= box.width || Math.abs(a.y - b.y) >= box.height).toBe(true);
    }
  }
});

test('a cycle ends, and nothing is a place, too', () => {
  expect(layout(['a', 'b'], [{ from: 'a', to: 'b' }, { from: 'b', to: 'a' }]).places.size).toBe(2);
  expect(layout([], []).places.size).toBe(0);
});
