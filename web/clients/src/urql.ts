// urql with its normalised cache: an introspection of schema.graphql is all it needs to know.
import { Client, fetchExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { buildSchema, introspectionFromSchema } from 'graphql';
import { bearer } from './apollo.ts';

export function urql(url: string, sdl: string, token: () => string | undefined) {
  const cache = cacheExchange({
    schema: introspectionFromSchema(buildSchema(sdl)) as never,
    resolvers: { Query: { documents: relayPagination() } },
    keys: { PageInfo: () => null },
    updates: {
      Mutation: {
        // A new document belongs to lists of which the cache cannot know whether it is in them.
        createDocument: (_result, _args, cache) => cache.invalidate('Query', 'documents'),
      },
    },
  });
  return new Client({ url, exchanges: [cache, fetchExchange], preferGetMethod: false, fetchOptions: () => ({ headers: bearer(token()) }) });
}
