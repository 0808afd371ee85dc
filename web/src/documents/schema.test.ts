import { expect, test } from 'vitest';

import { columns, fields, labelField, memberOf, patchOf, same, staleness, toData } from './schema';

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

test('fields come required first, then by kind, then by name', () => {
  expect(fields(movie).map((f) => [f.name, f.kind])).toEqual([
    ['title', 'text'],
    ['plot', 'longText'],
    ['genre', 'text'],
    ['director', 'reference'],
    ['cast', 'references'],
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

test.each([
  [{ type: 'string', enum: ['a', 'b'] }, 'choice'],
  [{ type: 'string', format: 'date-time' }, 'dateTime'],
  [{ type: 'array', items: { type: 'integer' } }, 'list'],
  [{ type: 'object', properties: { x: { type: 'number' } } }, 'object'],
  [{ type: 'object' }, 'json'],
  [{ type: 'array', items: { type: 'object' } }, 'json'],
  [{}, 'json'],
])('%j is shown as %s', (property, kind) => expect(fields({ properties: { a: property } })[0]?.kind).toBe(kind));

test('objects are shown one level deep', () => {
  const deep = { type: 'object', properties: { b: { type: 'object', properties: { c: { type: 'string' } } } } };
  expect(fields({ properties: { a: deep } })[0]?.fields[0]?.kind).toBe('json');
});

test('a patch holds what changed alone, and null for what goes', () => {
  const before = { a: 1, b: 'x', c: { d: 1, e: 2 }, f: [1] };
  expect(patchOf(before, { a: 1, c: { d: 1, e: 3 }, f: [1, 2], g: true })).toEqual({ b: null, c: { e: 3 }, f: [1, 2], g: true });
  expect(patchOf(before, structuredClone(before))).toEqual({});
});

test('the order of members makes no difference', () => {
  expect(same({ a: 1, b: [{ c: 1 }] }, { b: [{ c: 1 }], a: 1 })).toBe(true);
  expect(same([1, 2], [2, 1])).toBe(false);
});

test.each([
  ['/title', 'title'],
  ['/a~1b/0', 'a/b'],
  ['', null],
  [undefined, null],
])('the pointer %j lies in the member %j', (pointer, want) => expect(memberOf(pointer)).toBe(want));

test('a change can be merged when others changed other fields', () => {
  expect(staleness({ rev: 4, fields: [] })).toEqual({ fields: [], disjoint: true });
  expect(staleness({ rev: 4, fields: ['title'] })).toEqual({ fields: ['title'], disjoint: false });
});
