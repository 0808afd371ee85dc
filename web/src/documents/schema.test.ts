import { expect, test } from 'vitest';

import { columns, fields, labelField, toData } from './schema';

const movie = {
  type: 'object',
  required: ['title'],
  label: 'title',
  properties: {
    budget: { type: 'number', minimum: 0, maximum: 1e11 },
    cast: { type: 'array', items: { type: 'string', reference: { to: ['person'] } } },
    director: { type: 'string', reference: { to: ['person'], onDelete: 'SET_NULL' } },
    genre: { type: 'string', maxLength: 100 },
    plot: { type: 'string', maxLength: 2000 },
    released: { type: 'string', format: 'date' },
    seen: { type: 'boolean' },
    title: { type: 'string', maxLength: 200 },
  },
};

test('fields come required first, then by kind, then by name; what a plain form cannot show is left out', () => {
  expect(fields(movie).map((f) => [f.name, f.kind])).toEqual([
    ['title', 'text'],
    ['plot', 'longText'],
    ['genre', 'text'],
    ['director', 'reference'],
    ['released', 'date'],
    ['budget', 'number'],
    ['seen', 'switch'],
  ]);
});

test('a field knows its bounds and its targets', () => {
  const byName = Object.fromEntries(fields(movie).map((f) => [f.name, f]));
  expect(byName['title']).toMatchObject({ required: true, maxLength: 200 });
  expect(byName['budget']).toMatchObject({ required: false, min: 0, max: 1e11 });
  expect(byName['director']?.to).toEqual(['person']);
});

test('a reference that names no target may point at anything', () => {
  expect(fields({ properties: { about: { type: 'string', reference: {} } } })[0]?.to).toEqual(['*']);
});

test('columns are short, and none repeats the label', () => {
  expect(columns(movie, 3).map((f) => f.name)).toEqual(['genre', 'released', 'budget']);
});

test.each([
  [{ label: 'title' }, 'title'],
  [{ label: '/title' }, 'title'],
  [{}, undefined],
])('the label field of %j is %s', (schema, want) => expect(labelField(schema)).toBe(want));

test('a schema without properties has no fields', () => {
  expect(fields({})).toEqual([]);
});

test('empty inputs are left out of the data, but false and zero are values', () => {
  expect(toData({ a: '', b: null, c: undefined, d: 0, e: false, f: 'x' })).toEqual({ d: 0, e: false, f: 'x' });
});
