import { graphql, type ResultOf } from '../gql/graphql';

const SOURCE = graphql(`
  fragment SourceFields on EventSource { id name hint owner events origins disabled createdAt lastUsedAt }
`);

export const SOURCES = graphql(`query Sources { eventSources { ...SourceFields } }`, [SOURCE]);

export const EVENT_TYPES = graphql(`
  query EventTypes {
    eventTypes { name description dims values strict retentionDays known stored lastAt }
  }
`);

export const CREATE_SOURCE = graphql(
  `
    mutation CreateSource($input: CreateEventSourceInput!) {
      createEventSource(input: $input) { key source { ...SourceFields } }
    }
  `,
  [SOURCE],
);

export const UPDATE_SOURCE = graphql(
  `
    mutation UpdateSource($input: UpdateEventSourceInput!) {
      updateEventSource(input: $input) { source { ...SourceFields } }
    }
  `,
  [SOURCE],
);

export const ROTATE_SOURCE = graphql(
  `
    mutation RotateSource($input: RotateEventSourceInput!) {
      rotateEventSource(input: $input) { key source { ...SourceFields } }
    }
  `,
  [SOURCE],
);

export const DELETE_SOURCE = graphql(`
  mutation DeleteSource($input: DeleteEventSourceInput!) {
    deleteEventSource(input: $input) { source }
  }
`);

export const DEFINE_EVENT_TYPE = graphql(`
  mutation DefineEventType($input: DefineEventTypeInput!) {
    defineEventType(input: $input) { name }
  }
`);

export type Source = ResultOf<typeof SOURCES>['eventSources'][number];
export type EventType = ResultOf<typeof EVENT_TYPES>['eventTypes'][number];
