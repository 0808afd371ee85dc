import { expect, test } from 'vitest';

import { apart, withNews } from './activity';

const facts = (...ids: string[]) => ids.map((id) => ({ id }));
const ids = (of: { id: string }[]) => of.map((e) => e.id).join('');

test('news stand above what was read, each fact once', () => {
  expect(ids(withNews(facts('3', '2', '1'), facts('5', '4', '3')))).toBe('54321');
});

test('without news it is as it was read', () => expect(ids(withNews(facts('2', '1'), []))).toBe('21'));

test.each([
  [['3', '2'], ['4', '3'], false], // they overlap
  [['3', '2'], ['9', '8'], true],
  [['9', '8'], ['3', '2'], false], // the news are the older ones: nothing is missing
  [['3', '2'], [], false],
  [[], ['1'], false],
])('what was read %j and the news %j are apart: %s', (read, news, want) => {
  expect(apart(facts(...read), facts(...news))).toBe(want);
});
