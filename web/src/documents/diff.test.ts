import { expect, test } from 'vitest';

import { diffRows } from './diff';

test('differences become rows, null told from nothing', () => {
  const rows = diffRows([
    { pointer: '/a~1b', op: 'add', before: null, after: { value: [1] } },
    { pointer: '/c', op: 'remove', before: { value: null }, after: null },
    { pointer: '/d', op: 'replace', before: { value: 'x' }, after: { value: 'y' } },
  ]);
  expect(rows.map((r) => [r.path, r.word, r.before, r.after])).toEqual([
    ['a/b', 'Added', '', '[\n  1\n]'],
    ['c', 'Removed', 'null', ''],
    ['d', 'Changed', '"x"', '"y"'],
  ]);
});
