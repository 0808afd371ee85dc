import { buildSchema, parse, specifiedRules, validate } from 'graphql';
import { expect, test } from 'vitest';

import { examples, firstTabs, systems } from './examples';

const files = import.meta.glob<string>('../../../schema/*.graphqls', { query: '?raw', import: 'default', eager: true });
const schema = buildSchema(Object.values(files).join('\n'));
const all = examples.flatMap((of) => of.examples);

test.each(all.map((example) => [example.title, example] as const))('%s: valid by the schema, with the variables it declares', (title, example) => {
  expect(title).toMatch(/^[A-Z].{5,60}$/);
  const document = parse(example.query);
  expect(validate(schema, document, specifiedRules).map((e) => e.message)).toEqual([]);
  const [operation, ...others] = document.definitions;
  expect(others).toEqual([]);
  if (operation?.kind !== 'OperationDefinition' || !operation.name) throw new Error('no operation with a name');
  const declared = (operation.variableDefinitions ?? []).map((v) => v.variable.name.value);
  expect(Object.keys(JSON.parse(example.variables ?? '{}') as object)).toEqual(declared);
});

test('each system has a first tab, and each file a system', () => {
  expect(firstTabs).toHaveLength(systems.length);
  expect(all).toHaveLength(Object.keys(import.meta.glob('./examples/*.graphql')).length);
});
