import { expect, test } from 'vitest';

import { formatOf, percentOf, refusalOf, resultOf } from './importing';

test('the format goes by the name', () => {
  expect(['a.csv', 'b.JSON', 'c.jsonl', 'd.ndjson', 'e.xlsx', 'json'].map(formatOf)).toEqual(['csv', 'json', 'ndjson', 'ndjson', null, null]);
});

test('what is done is a part of the whole', () => {
  expect(percentOf({ state: 'RUNNING', done: 1, total: 4 })).toBe(25);
  expect(percentOf({ state: 'WAITING', done: 0, total: 0 })).toBe(0);
  expect(percentOf({ state: 'DONE', done: 0, total: 0 })).toBe(100);
});

test('a result may lack everything', () => {
  expect(resultOf(null)).toEqual({ read: 0, made: 0, bad: 0, refused: '', problems: [] });
  expect(resultOf({ counts: { read: 2, bad: 1 }, problems: [{ row: 2, message: 'no' }] })).toEqual({
    read: 2,
    made: 0,
    bad: 1,
    refused: '',
    problems: [{ row: 2, pointer: '', message: 'no' }],
  });
});

test('a refusal is a sentence', () => {
  expect(refusalOf({ error: { message: 'the format is none' } })).toBe('The format is none.');
  expect(refusalOf('<html>')).toBe('The server does not take this file.');
});
