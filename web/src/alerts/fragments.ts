import { graphql } from '../gql/graphql';

export const ALERT = graphql(`
  fragment AlertFields on Alert {
    id
    report { __typename ... on SavedReport { id title } }
    condition
    threshold
    recover
    for
    recipients { id name email }
    state
    since
    value
    evaluatedAt
    paused
    reason
  }
`);
