import { graphql, type ResultOf, type VariablesOf } from '../gql/graphql';
import { FUNNEL, PATHS, RETENTION } from './fragments';

export const READ_FUNNEL = graphql(
  `
    query ReadFunnel($input: FunnelInput!) {
      funnel(input: $input) { ...FunnelFields }
    }
  `,
  [FUNNEL],
);

export const READ_RETENTION = graphql(
  `
    query ReadRetention($input: RetentionInput!) {
      retention(input: $input) { ...RetentionFields }
    }
  `,
  [RETENTION],
);

export const READ_PATHS = graphql(
  `
    query ReadPaths($input: PathsInput!) {
      paths(input: $input) { ...PathsFields }
    }
  `,
  [PATHS],
);

export const BEHIND = graphql(`
  query Behind($input: BehindInput!, $after: String) {
    behind(input: $input, first: 20, after: $after) {
      nodes { id first last events }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export type FunnelInput = VariablesOf<typeof READ_FUNNEL>['input'];
export type RetentionInput = VariablesOf<typeof READ_RETENTION>['input'];
export type PathsInput = VariablesOf<typeof READ_PATHS>['input'];
export type BehindInput = VariablesOf<typeof BEHIND>['input'];
export type Selector = FunnelInput['steps'][number];
export type Funnel = ResultOf<typeof FUNNEL>;
export type FunnelStep = Funnel['steps'][number];
export type Retention = ResultOf<typeof RETENTION>;
export type Paths = ResultOf<typeof PATHS>;
