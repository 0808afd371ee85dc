// Relay: the network layer is one fetch, and everything else the compiler has read from schema.graphql.
import { Environment, Network, RecordSource, Store, type FetchFunction } from 'relay-runtime';
import { bearer } from './apollo.ts';

export function relay(url: string, token: () => string | undefined) {
  const ask: FetchFunction = async ({ text, name }, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(token()) },
      body: JSON.stringify({ query: text, operationName: name, variables }),
    });
    return response.json();
  };
  return new Environment({ network: Network.create(ask), store: new Store(new RecordSource()) });
}
