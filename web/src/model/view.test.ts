import { expect, test } from 'vitest';

import { fitted, moved, zoomed } from './view';

const frame = { width: 800, height: 600 };

test('a large picture is made to fit, a small one is not blown up', () => {
  expect(fitted({ width: 1600, height: 600 }, frame)).toEqual({ x: 0, y: 150, scale: 0.5 });
  expect(fitted({ width: 400, height: 100 }, frame)).toEqual({ x: 200, y: 250, scale: 1 });
});

test('the point under the pointer stays where it is', () => {
  const before = { x: 10, y: 20, scale: 0.5 };
  const at = { x: 300, y: 200 };
  const after = zoomed(before, 1.5, at);
  expect(after.scale).toBeCloseTo(0.75);
  expect((at.x - after.x) / after.scale).toBeCloseTo((at.x - before.x) / before.scale);
  expect((at.y - after.y) / after.scale).toBeCloseTo((at.y - before.y) / before.scale);
});

test('zooming has its ends, and goes on smoothly there', () => {
  const far = zoomed({ x: 0, y: 0, scale: 1 }, 1e9, { x: 0, y: 0 });
  expect(zoomed(far, 2, { x: 50, y: 50 })).toEqual(far);
});

test('the picture cannot be lost', () => {
  const picture = { width: 100, height: 100 };
  expect(moved({ x: 0, y: 0, scale: 1 }, 1e6, -1e6, picture, frame)).toEqual({ x: 760, y: -60, scale: 1 });
});
