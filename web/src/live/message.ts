import type { Channel as Followed } from '@backendbook/live';

import { graphql, type ResultOf, type VariablesOf } from '../gql/graphql';
import { ALERT } from '../alerts/fragments';
import { EVENT, FUNNEL, PATHS, RETENTION } from '../journeys/fragments';
import { ENTITLEMENT, MEMBERSHIP } from '../plan/fragments';
import { REPORT } from '../reports/fragments';
import { SECURITY_EVENT, SESSION } from '../session/fragments';

/** The one operation of a page: all of its channels over one socket. */
export const LIVE = graphql(
  `
    subscription Live($channels: [ChannelInput!]!, $id: String) {
      live(channels: $channels, id: $id) {
        channel
        kind
        seq
        firstSeq
        cursor
        at
        error { code message }
        data {
          __typename
          ... on Report { ...ReportFields }
          ... on ReportDelta {
            from
            to
            through
            dropped
            points { at key value count }
            compared { at key value count }
            newTotals: totals { key value count compared }
          }
          ... on Funnel { ...FunnelFields }
          ... on Retention { ...RetentionFields }
          ... on Paths { ...PathsFields }
          ... on AlertList { alerts { ...AlertFields } }
          ... on EventTail { events { ...EventFields } skipped }
          ... on DocumentList { documents { id rev label data createdAt updatedAt } }
          ... on DocumentListDelta { changes { op id index from document { id rev label data createdAt updatedAt } } }
          ... on SessionList { sessions { ...SessionFields } }
          ... on SecurityEventList { events { ...SecurityEventFields } }
          ... on EntitlementList { membership { ...MembershipFields } entitlements { ...EntitlementFields } }
          ... on UsageList { usage { ...EntitlementFields } }
        }
      }
    }
  `,
  [REPORT, ALERT, FUNNEL, RETENTION, PATHS, EVENT, SESSION, SECURITY_EVENT, MEMBERSHIP, ENTITLEMENT],
);

export type ChannelInput = VariablesOf<typeof LIVE>['channels'][number];
export type LiveMessage = ResultOf<typeof LIVE>['live'];

type Data = NonNullable<LiveMessage['data']>;
export type Report = Extract<Data, { __typename: 'Report' }>;
export type ReportDelta = Extract<Data, { __typename: 'ReportDelta' }>;
export type ReportPoint = Report['points'][number];
export type ReportTotal = Report['totals'][number];
export type Funnel = Extract<Data, { __typename: 'Funnel' }>;
export type Retention = Extract<Data, { __typename: 'Retention' }>;
export type Paths = Extract<Data, { __typename: 'Paths' }>;
export type AlertList = Extract<Data, { __typename: 'AlertList' }>;
export type EventTail = Extract<Data, { __typename: 'EventTail' }>;
export type DocumentList = Extract<Data, { __typename: 'DocumentList' }>;
export type DocumentListDelta = Extract<Data, { __typename: 'DocumentListDelta' }>;
export type SessionList = Extract<Data, { __typename: 'SessionList' }>;
export type SecurityEventList = Extract<Data, { __typename: 'SecurityEventList' }>;
export type EntitlementList = Extract<Data, { __typename: 'EntitlementList' }>;
export type UsageList = Extract<Data, { __typename: 'UsageList' }>;

/** The whole state of a channel, of whatever family the console follows. */
export type State =
  | Report
  | Funnel
  | Retention
  | Paths
  | EventTail
  | AlertList
  | DocumentList
  | SessionList
  | SecurityEventList
  | EntitlementList
  | UsageList;

/** A channel as it stands. */
export type Channel = Followed<State>;
