import { graphql, type ResultOf } from '../gql/graphql';
import { REPORT } from '../reports/fragments';

export const DASHBOARDS = graphql(`
  query Dashboards {
    documents(type: "core.dashboard", first: 100) { nodes { id label } }
  }
`);

export const DASHBOARD = graphql(`
  query OneDashboard($id: ID!) {
    node(id: $id) {
      __typename
      ... on Dashboard {
        id
        title
        description
        document { id rev }
        tiles { x y w h report { __typename ... on SavedReport { id title kind query } } }
      }
    }
  }
`);

export const FROM_TEMPLATE = graphql(`
  mutation FromTemplate($input: CreateDashboardFromTemplateInput!) {
    createDashboardFromTemplate(input: $input) { dashboard { id document { id rev } } }
  }
`);

export const RUN_SAVED = graphql(
  `
    query RunSaved($id: ID!) {
      savedReport(id: $id) { result { __typename ... on Report { ...ReportFields } } }
    }
  `,
  [REPORT],
);

export type Dashboard = Extract<NonNullable<ResultOf<typeof DASHBOARD>['node']>, { __typename: 'Dashboard' }>;
export type Tile = Dashboard['tiles'][number];
export type SavedReport = Extract<NonNullable<Tile['report']>, { __typename: 'SavedReport' }>;
