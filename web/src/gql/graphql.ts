import { initGraphQLTada } from 'gql.tada';

import type { introspection } from './schema';

/** Types an operation by the server's schema. Masking is off: fragments here name a selection, they hide nothing. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  disableMasking: true;
  scalars: {
    ID: string;
    /** RFC 3339 in UTC with milliseconds: text order is time order. */
    Time: string;
    JSON: Record<string, unknown>;
    JSONSchema: Record<string, unknown>;
  };
}>();

export type { ResultOf, VariablesOf } from 'gql.tada';
