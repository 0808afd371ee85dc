// The schema as clients need it: the recommended rules, those of Relay, and a description on everything.
import { fileURLToPath } from 'node:url';
import graphql from '@graphql-eslint/eslint-plugin';

const schema = fileURLToPath(new URL('../../schema/*.graphqls', import.meta.url));
const { 'flat/schema-recommended': recommended, 'flat/schema-relay': relay } = graphql.configs;
const [, naming] = recommended.rules['@graphql-eslint/naming-convention'];
const objects = 'ObjectTypeDefinition,ObjectTypeExtension';

export default [
  {
    files: ['**/*.graphqls'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    plugins: { '@graphql-eslint': graphql },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      ...recommended.rules,
      ...relay.rules,
      '@graphql-eslint/require-description': [
        'error',
        { types: true, rootField: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true, DirectiveDefinition: true },
      ],
      '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
      '@graphql-eslint/require-nullable-fields-with-oneof': 'error',
      // "ContentType" and "EventType" are words of the domain: what they name are types.
      '@graphql-eslint/naming-convention': ['error', { ...naming, [objects]: { forbiddenPrefixes: ['Type'] } }],
      // Lists that cannot grow without bound, such as the prices of a plan, are lists and not connections; and what is in a
      // connection but never found again by an id, such as an event, is no Node.
      '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false }],
      // One line stands in quotes and several stand in a block, which no choice of the rule allows.
      '@graphql-eslint/description-style': 'off',
      // Most types are values without an identity of their own: payloads, connections, reports. graph/schema_test.go
      // checks the id of every Node.
      '@graphql-eslint/strict-id-in-types': 'off',
    },
  },
];
