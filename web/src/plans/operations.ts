import { graphql, type ResultOf } from '../gql/graphql';
import { MEMBERSHIP, PLAN } from '../plan/fragments';

/** What features and plans are called, for who may not read the whole catalogue. */
export const NAMES_OF_PLANS = graphql(`
  query NamesOfPlans($all: Boolean!) {
    plans { key name rank }
    features { key kind name unit description }
    catalogue @include(if: $all) { plans { key name rank } }
  }
`);

export const CATALOGUE = graphql(
  `
    query Catalogue {
      catalogue {
        yaml
        plans { ...PlanFields onlyFor role { key name } }
        features { key kind name unit description }
        coupons { key name percent off { amountMinor currency } periods most redeemed until plans }
      }
    }
  `,
  [PLAN],
);

/** Says what would differ; with no more in its answer nothing on the page is read anew. */
export const COMPARE_CATALOGUE = graphql(`
  mutation CompareCatalogue($yaml: String!, $prune: Boolean!) {
    applyCatalogue(input: { yaml: $yaml, prune: $prune, dryRun: true }) { changes }
  }
`);

export const APPLY_CATALOGUE = graphql(`
  mutation ApplyCatalogue($yaml: String!, $prune: Boolean!) {
    applyCatalogue(input: { yaml: $yaml, prune: $prune }) { changes catalogue { yaml plans { id } } }
  }
`);

export const DELETE_PLAN = graphql(`
  mutation DeletePlan($input: DeletePlanInput!) {
    deletePlan(input: $input) { catalogue { yaml plans { id } } }
  }
`);

export const MIGRATE_MEMBERS = graphql(`
  mutation MigrateMembers($input: MigrateMembersInput!) {
    migrateMembers(input: $input) {
      members { subject overQuota { feature limit used excess onOver newest } }
    }
  }
`);

export const MEMBERSHIPS = graphql(`
  query Memberships($plan: String, $first: Int, $after: String, $last: Int, $before: String) {
    memberships(plan: $plan, first: $first, after: $after, last: $last, before: $before) {
      nodes { id subject status standing since price plan { id name version } chosen { id name version } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

export const PUT_ON_PLAN = graphql(
  `
    mutation PutOnPlan($input: PutOnPlanInput!) {
      putOnPlan(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const PAUSE = graphql(
  `
    mutation PauseMembership($input: PauseMembershipInput!) {
      pauseMembership(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const UNPAUSE = graphql(
  `
    mutation UnpauseMembership($input: UnpauseMembershipInput!) {
      unpauseMembership(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const OVERRIDE = graphql(
  `
    mutation OverrideFeature($input: OverrideFeatureInput!) {
      overrideFeature(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const REFUND = graphql(
  `
    mutation RefundPayment($input: RefundPaymentInput!) {
      refundPayment(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const ADVANCE_CLOCK = graphql(
  `
    mutation AdvanceMembershipClock($input: AdvanceMembershipClockInput!) {
      advanceMembershipClock(input: $input) { membership { ...MembershipFields } }
    }
  `,
  [MEMBERSHIP],
);

export const SET_BEHAVIOR = graphql(`
  mutation SetPaymentBehavior($input: SetPaymentBehaviorInput!) {
    setPaymentBehavior(input: $input) { behavior }
  }
`);

export type Catalogue = ResultOf<typeof CATALOGUE>['catalogue'];
export type Version = Catalogue['plans'][number];
export type MemberRow = ResultOf<typeof MEMBERSHIPS>['memberships']['nodes'][number];
export type MovedMember = ResultOf<typeof MIGRATE_MEMBERS>['migrateMembers']['members'][number];
export type Behavior = ResultOf<typeof SET_BEHAVIOR>['setPaymentBehavior']['behavior'];
