import { graphql, type ResultOf, type VariablesOf } from '../gql/graphql';
import { ENTITLEMENT, MEMBERSHIP, PLAN } from './fragments';

/** What is on offer. */
export const OFFER = graphql(
  `
    query Offer {
      plans { ...PlanFields }
      features { key kind name unit description }
      addons { key name recurring days closed gives { feature amount } prices { key currency amountMinor every { n unit } } }
    }
  `,
  [PLAN],
);

/** Where somebody stands; the caller for null. */
export const STANDING = graphql(
  `
    query Standing($user: ID) {
      membership(user: $user) { ...MembershipFields }
      entitlements(user: $user) { ...EntitlementFields }
    }
  `,
  [MEMBERSHIP, ENTITLEMENT],
);

export const LEDGER = graphql(`
  query Ledger($user: ID, $first: Int, $after: String, $last: Int, $before: String) {
    ledger(user: $user, first: $first, after: $after, last: $last, before: $before) {
      nodes {
        id
        kind
        at
        lines { kind text from to quantity amountMinor }
        amount { amountMinor currency }
        balanceMinor
        number
        invoicePath
        reason
      }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

export const PREVIEW = graphql(`
  query PreviewChange($input: PreviewChangeInput!) {
    previewChange(input: $input) {
      token
      expiresAt
      now
      effectiveAt
      lines { kind text from to quantity amountMinor }
      net { amountMinor currency }
      due { amountMinor currency }
      overQuota { feature limit used excess onOver newest }
    }
  }
`);

export const CHANGE_PLAN = graphql(
  `
    mutation ChangePlan($input: ChangePlanInput!) {
      changePlan(input: $input) {
        result {
          __typename
          ... on MembershipChanged { membership { ...MembershipFields } }
          ... on CheckoutRequired { url membership { ...MembershipFields } }
        }
      }
    }
  `,
  [MEMBERSHIP],
);

export const CANCEL = graphql(
  `
    mutation CancelMembership($input: CancelMembershipInput!) {
      cancelMembership(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const RESUME = graphql(
  `
    mutation ResumeMembership($input: ResumeMembershipInput!) {
      resumeMembership(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const END_ADDON = graphql(
  `
    mutation EndAddon($input: EndAddonInput!) {
      endAddon(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

type Offered = ResultOf<typeof OFFER>;
export type Feature = Offered['features'][number];
export type Addon = Offered['addons'][number];
export type LedgerEntry = ResultOf<typeof LEDGER>['ledger']['nodes'][number];
export type ChangePreview = ResultOf<typeof PREVIEW>['previewChange'];
export type Line = ChangePreview['lines'][number];
export type OverQuotaItem = ChangePreview['overQuota'][number];
export type PreviewInput = VariablesOf<typeof PREVIEW>['input'];
export type ChangeMode = NonNullable<PreviewInput['mode']>;
export type ChangeResult = ResultOf<typeof CHANGE_PLAN>['changePlan']['result'];
