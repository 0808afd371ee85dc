import { graphql, type ResultOf } from '../gql/graphql';

const KEY = graphql(`
  fragment Key on AccessKey {
    id
    name
    hint
    scopes
    createdAt
    expiresAt
    lastUsedAt
    revokedAt
  }
`);

export const MY_KEYS = graphql(
  `
    query MyKeys($after: String) {
      myAccessKeys(first: 20, after: $after) { nodes { ...Key } pageInfo { hasNextPage endCursor } }
    }
  `,
  [KEY],
);

export const SERVICE_KEYS = graphql(
  `
    query ServiceKeys($serviceAccount: ID!) {
      serviceAccessKeys(serviceAccount: $serviceAccount, first: 50) { nodes { ...Key } }
    }
  `,
  [KEY],
);

export const GRANTABLE = graphql(`
  query Grantable {
    permissions { key description }
  }
`);

export const CREATE_KEY = graphql(
  `
    mutation CreateAccessKey($input: CreateAccessKeyInput!) {
      createAccessKey(input: $input) { token key { ...Key } }
    }
  `,
  [KEY],
);

export const REVOKE_KEY = graphql(
  `
    mutation RevokeAccessKey($input: RevokeAccessKeyInput!) {
      revokeAccessKey(input: $input) { key { ...Key } }
    }
  `,
  [KEY],
);

export type Key = ResultOf<typeof KEY>;
