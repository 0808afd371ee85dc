// Apollo Client: bearer token, Relay's paging, and the possible types from the file that the server's binary writes.
import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { relayStylePagination } from '@apollo/client/utilities';
import possibleTypes from '../generated/possibleTypes.json';

export function apollo(url: string, token: () => string | undefined) {
  const authorize = new SetContextLink(({ headers }) => ({ headers: { ...headers, ...bearer(token()) } }));
  const cache = new InMemoryCache({
    possibleTypes,
    typePolicies: {
      Query: { fields: { documents: relayStylePagination(['type', 'filter', 'search', 'prefix', 'sort']) } },
      // Their ids are of what they are about: two of them with the same id need not be the same.
      Behind: { keyFields: false },
      ListChange: { keyFields: false },
    },
  });
  return new ApolloClient({ link: authorize.concat(new HttpLink({ uri: url })), cache });
}

export const bearer = (token: string | undefined): Record<string, string> => (token ? { authorization: `Bearer ${token}` } : {});
