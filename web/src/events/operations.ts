import { graphql, type VariablesOf } from '../gql/graphql';
import { EVENT } from '../journeys/fragments';

export const EVENTS = graphql(
  `
    query Events($filter: EventFilterInput, $after: String) {
      events(filter: $filter, first: 50, after: $after) {
        nodes { ...EventFields }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [EVENT],
);

export const EXPORT_EVENTS = graphql(`
  mutation ExportEvents($input: ExportEventsInput!) {
    exportEvents(input: $input) { job { id } }
  }
`);

export type EventFilter = NonNullable<VariablesOf<typeof EVENTS>['filter']>;
