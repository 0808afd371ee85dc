import { buildSchema, parse, specifiedRules, validate } from 'graphql';
import { expect, test } from 'vitest';

import { examples } from './examples';

const files = import.meta.glob<string>('../../../schema/*.graphqls', { query: '?raw', import: 'default', eager: true });
const schema = buildSchema(Object.values(files).join('\n'));

test.each(examples.map((example) => [/(\w+) (\w+)[ ({]/.exec(example.query.replace(/^#.*$/gm, ''))?.[2], example] as const))(
  '%s is valid by the schema',
  (name, example) => {
    expect(name).toBeTruthy();
    expect(validate(schema, parse(example.query), specifiedRules).map((e) => e.message)).toEqual([]);
  },
);

test('the variables of each example are those its operations declare', () => {
  for (const { query, variables = '{}' } of examples) {
    const declared = parse(query).definitions.flatMap((d) =>
      d.kind === 'OperationDefinition' ? (d.variableDefinitions ?? []).map((v) => v.variable.name.value) : [],
    );
    expect(Object.keys(JSON.parse(variables) as object).toSorted()).toEqual(declared.toSorted());
  }
});
