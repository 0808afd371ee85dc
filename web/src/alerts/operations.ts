import { graphql, type ResultOf } from '../gql/graphql';
import { ALERT } from './fragments';

const SCHEDULE = graphql(`
  fragment ScheduleFields on Schedule {
    id
    report { __typename ... on SavedReport { id title } ... on Dashboard { id title } }
    cron
    timeZone
    recipients { id name email }
    format
    paused
    reason
    nextAt
    lastAt
    errorCode
  }
`);

export const SCHEDULES = graphql(
  `
    query Schedules {
      schedules(first: 100) { nodes { ...ScheduleFields } }
    }
  `,
  [SCHEDULE],
);

export const SENDABLE = graphql(`
  query Sendable {
    reports: documents(type: "core.report", first: 100) { nodes { id label data } }
    dashboards: documents(type: "core.dashboard", first: 100) { nodes { id label } }
  }
`);

export const CREATE_ALERT = graphql(
  `
    mutation CreateAlert($input: CreateAlertInput!) {
      createAlert(input: $input) { alert { ...AlertFields } }
    }
  `,
  [ALERT],
);

export const UPDATE_ALERT = graphql(
  `
    mutation UpdateAlert($input: UpdateAlertInput!) {
      updateAlert(input: $input) { alert { ...AlertFields } }
    }
  `,
  [ALERT],
);

export const DELETE_ALERT = graphql(`
  mutation DeleteAlert($input: DeleteAlertInput!) {
    deleteAlert(input: $input) { id }
  }
`);

export const CREATE_SCHEDULE = graphql(
  `
    mutation CreateSchedule($input: CreateScheduleInput!) {
      createSchedule(input: $input) { schedule { ...ScheduleFields } }
    }
  `,
  [SCHEDULE],
);

export const UPDATE_SCHEDULE = graphql(
  `
    mutation UpdateSchedule($input: UpdateScheduleInput!) {
      updateSchedule(input: $input) { schedule { ...ScheduleFields } }
    }
  `,
  [SCHEDULE],
);

export const RUN_SCHEDULE = graphql(
  `
    mutation RunSchedule($input: RunScheduleNowInput!) {
      runScheduleNow(input: $input) { schedule { ...ScheduleFields } }
    }
  `,
  [SCHEDULE],
);

export const DELETE_SCHEDULE = graphql(`
  mutation DeleteSchedule($input: DeleteScheduleInput!) {
    deleteSchedule(input: $input) { id }
  }
`);

export type Alert = ResultOf<typeof ALERT>;
export type Schedule = ResultOf<typeof SCHEDULE>;
