// urql with its normalised cache: an introspection of schema.graphql is all it needs to know.
import { Client, fetchExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { buildSchema, introspectionFromSchema, isObjectType, type GraphQLSchema } from 'graphql';
import { bearer } from './apollo.ts';

export function urql(url: string, sdl: string, token: () => string | undefined) {
  const schema = buildSchema(sdl);
  const cache = cacheExchange({
    schema: introspectionFromSchema(schema) as never,
    resolvers: { Query: { documents: relayPagination() } },
    keys: parts(schema),
    updates: {
      Mutation: {
        // A new document belongs to lists of which the cache cannot know whether it is in them.
        createDocument: (_result, _args, cache) => cache.invalidate('Query', 'documents'),
      },
    },
  });
  return new Client({ url, exchanges: [cache, fetchExchange], preferGetMethod: false, fetchOptions: () => ({ headers: bearer(token()) }) });
}

/** Types that are parts of what holds them: those without an id, and those whose id is of what they are about. */
function parts(schema: GraphQLSchema) {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const names = Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !type.name.startsWith('__') && !roots.includes(type) && !type.getFields().id)
    .map((type) => type.name);
  return Object.fromEntries([...names, 'Behind', 'ListChange'].map((name) => [name, () => null]));
}
