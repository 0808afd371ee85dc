import { graphql, type ResultOf } from '../gql/graphql';

/** A session as its lists show it. */
export const SESSION = graphql(`
  fragment SessionFields on Session {
    id
    label
    client
    ip
    place
    createdAt
    lastSeenAt
    idleUntil
    expiresAt
    remembered
    current
    impersonated
    methods
  }
`);

/** A fact about the security of an account. */
export const SECURITY_EVENT = graphql(`
  fragment SecurityEventFields on SecurityEvent {
    id
    kind
    at
    ip
    own
  }
`);

export type Session = ResultOf<typeof SESSION>;
export type SecurityEvent = ResultOf<typeof SECURITY_EVENT>;
