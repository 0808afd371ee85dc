import { graphql, type ResultOf } from '../gql/graphql';

export const FUNNEL = graphql(`
  fragment FunnelFields on Funnel {
    from
    to
    steps { event entered converted dropped medianSeconds p90Seconds }
    groups { key steps { event entered converted dropped medianSeconds p90Seconds } }
    read
  }
`);

export const RETENTION = graphql(`
  fragment RetentionFields on Retention {
    from
    to
    cohorts { at size cells { period at count share complete } }
    read
  }
`);

export const PATHS = graphql(`
  fragment PathsFields on Paths {
    from
    to
    # Another member of the union has sessions of its own.
    walks: sessions
    levels { level links { from to sessions share } other }
    read
  }
`);

export const EVENT = graphql(`
  fragment EventFields on Event { id name at receivedAt user actor session source dims values }
`);

export type StoredEvent = ResultOf<typeof EVENT>;
