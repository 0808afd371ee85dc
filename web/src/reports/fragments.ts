import { graphql } from '../gql/graphql';

/** A report with all its numbers, as a query and a channel give it. */
export const REPORT = graphql(`
  fragment ReportFields on Report {
    metric
    aggregate
    step
    from
    to
    points { at key value count }
    compared { at key value count }
    totals { key value count compared }
    source
    exact
    approximate
    error
    through
  }
`);
