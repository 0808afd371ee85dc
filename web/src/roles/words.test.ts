import { expect, test } from 'vitest';

import { help, splitInstance } from './words';

test('an instance has a key and arguments', () => {
  expect(splitInstance('a.b')).toEqual({ key: 'a.b', args: [] });
  expect(splitInstance(' a.b(region = EU, team=*) ')).toEqual({
    key: 'a.b',
    args: [
      { name: 'region', value: 'EU' },
      { name: 'team', value: '*' },
    ],
  });
});

test('a refusal says what helps', () => {
  expect(help({ path: ['a', 'b', 'a'] })).toBe('The circle: a → b → a');
  expect(help({ missing: ['x.y'] })).toBe('Missing: x.y');
  expect(help({ members: ['user:1', 'user:2'] })).toBe('2 depend on it.');
  expect(help({ param: 'region' })).toBe('It is about the parameter region.');
  expect(help({})).toBeNull();
});
