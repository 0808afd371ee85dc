import { graphql, type VariablesOf } from '../gql/graphql';

export const DEFINE_METRIC = graphql(`
  mutation DefineMetric($input: DefineMetricInput!) {
    defineMetric(input: $input) { metric { key } }
  }
`);

export const REBUILD_METRICS = graphql(`
  mutation RebuildMetrics {
    rebuildMetrics { metrics { key } }
  }
`);

export type DefineMetricInput = VariablesOf<typeof DEFINE_METRIC>['input'];
