import { cacheExchange, Client, fetchExchange, mapExchange } from '@urql/core';

import { isSignedOut, problemOf } from './problem';

/** Makes the client of one session: its cache must not outlive the person it was filled for. */
export function createHttp(onUnauthenticated: () => void): Client {
  return new Client({
    url: '/graphql',
    preferGetMethod: false,
    fetchOptions: { credentials: 'same-origin' },
    exchanges: [
      cacheExchange,
      mapExchange({
        onError(error) {
          if (isSignedOut(problemOf(error))) onUnauthenticated();
        },
      }),
      fetchExchange,
    ],
  });
}
