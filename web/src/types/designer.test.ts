import { expect, test } from 'vitest';

import { begin, labelOf, newRow, parse, rowsOf, schemaOf, stepInput } from './designer';

const movie = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  label: 'title',
  required: ['title'],
  properties: {
    title: { type: 'string', maxLength: 200, description: 'As on the poster', index: true },
    director: { type: 'string', reference: { to: ['person'], onDelete: 'SET_NULL' } },
    cast: { type: 'array', maxItems: 9, items: { type: 'string', reference: { to: ['person'] } } },
    about: { type: 'string', reference: {} },
    genre: { enum: ['a', 'b'], type: 'string' },
    odd: { anyOf: [{ type: 'string' }, { type: 'number' }] },
  },
  minProperties: 1,
};

test('a schema goes through the designer unharmed', () => {
  expect(schemaOf(movie, rowsOf(movie), labelOf(movie))).toEqual(movie);
  expect(schemaOf(begin, rowsOf(begin), labelOf(begin))).toEqual(begin);
});

test('rows say what the fields are', () => {
  expect(rowsOf(movie).map((r) => [r.name, r.kind, r.to, r.onDelete])).toEqual([
    ['title', 'text', ['*'], 'RESTRICT'],
    ['director', 'reference', ['person'], 'SET_NULL'],
    ['cast', 'references', ['person'], 'RESTRICT'],
    ['about', 'reference', ['*'], 'RESTRICT'],
    ['genre', 'choice', ['*'], 'RESTRICT'],
    ['odd', 'other', ['*'], 'RESTRICT'],
  ]);
});

test('another name keeps the rest of a field, another kind what is not of the kind', () => {
  const rows = rowsOf(movie).map((r) => (r.name === 'title' ? { ...r, name: 'name', required: false } : r));
  const renamed = schemaOf(movie, rows, 'name');
  expect(renamed).toMatchObject({ label: 'name', minProperties: 1, properties: { name: movie.properties.title } });
  expect(renamed).not.toHaveProperty('required');
  const number = rowsOf(movie).map((r) => (r.name === 'title' ? { ...r, kind: 'number' as const, index: false } : r));
  expect(schemaOf(movie, number, '')).toMatchObject({ properties: { title: { type: 'number', description: 'As on the poster' } } });
  expect(Object.keys((schemaOf(movie, number, '')['properties'] as Record<string, object>)['title'] ?? {})).toEqual(['description', 'type']);
});

test('a new reference is written as the keyword', () => {
  const row = { ...newRow('next'), kind: 'reference' as const, to: ['task'], onDelete: 'CASCADE' as const };
  expect(schemaOf({}, [row], '')).toEqual({ properties: { next: { type: 'string', reference: { to: ['task'], onDelete: 'CASCADE' } } } });
});

test('only an object is a schema', () => {
  expect(parse('{"type":"object"}')).toEqual({ type: 'object' });
  expect([parse('[]'), parse('1'), parse('{'), parse('null')]).toEqual([null, null, null, null]);
});

test('steps hold what their kind needs', () => {
  const step = { field: 'a', to: 'b', value: '3' };
  expect(stepInput({ op: 'RENAME', ...step })).toEqual({ op: 'RENAME', field: 'a', to: 'b' });
  expect(stepInput({ op: 'REMOVE', ...step })).toEqual({ op: 'REMOVE', field: 'a' });
  expect(stepInput({ op: 'DEFAULT', ...step })).toEqual({ op: 'DEFAULT', field: 'a', value: { value: 3 } });
  expect(stepInput({ op: 'DEFAULT', ...step, value: 'new' })).toEqual({ op: 'DEFAULT', field: 'a', value: { value: 'new' } });
});
