import { buildSchema, type DocumentNode, Kind, specifiedRules, validate } from 'graphql';
import { expect, test } from 'vitest';

// The compiler checks what is selected; arguments and the types of variables it takes as they come.
const files = import.meta.glob<string>('../../../schema/*.graphqls', { query: '?raw', import: 'default', eager: true });
const schema = buildSchema(Object.values(files).join('\n'));

const modules = import.meta.glob<Record<string, unknown>>(['../*/operations.ts', '../*/viewer.ts', '../live/message.ts'], { eager: true });
const documents = Object.entries(modules).flatMap(([path, module]) =>
  Object.entries(module).flatMap(([name, value]) => (isDocument(value) ? [[`${path} ${name}`, value] as const] : [])),
);

test.each(documents)('%s is valid by the schema', (_, document) => {
  expect(validate(schema, document, specifiedRules).map((e) => e.message)).toEqual([]);
});

test('every system of the console has its operations looked at', () => {
  expect(Object.keys(modules).length).toBeGreaterThan(7);
  expect(documents.length).toBeGreaterThan(40);
});

function isDocument(value: unknown): value is DocumentNode {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === Kind.DOCUMENT;
}
