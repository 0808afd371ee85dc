import { graphql, type ResultOf } from '../gql/graphql';

/** A version of a plan with all that one chooses by. */
export const PLAN = graphql(`
  fragment PlanFields on Plan {
    id
    key
    version
    current
    name
    description
    rank
    isDefault
    hidden
    closed
    trialDays
    graceDays
    prices { key currency amountMinor every { n unit } overages { feature amountMinor } }
    features { feature on value limit onOver reset rollover }
  }
`);

/** Where somebody stands in the catalogue of plans. */
export const MEMBERSHIP = graphql(`
  fragment MembershipFields on Membership {
    id
    subject
    plan { id key name version }
    chosen { id key name version }
    price
    status
    standing
    since
    periodStart
    periodEnd
    until
    timeZone
    pending { plan { id key name version } price at }
    addons { id addon name quantity since until ending }
    overrides { feature on value limit expiresAt reason }
    coupon
    balance { amountMinor currency }
    checkoutUrl
    paymentProblem
    pauseReason
    now
    version
  }
`);

/** What somebody may use of a feature now. */
export const ENTITLEMENT = graphql(`
  fragment EntitlementFields on Entitlement {
    feature
    kind
    on
    value
    limit
    carried
    used
    reserved
    remaining
    overage
    level
    resetsAt
    source
    until
    why
  }
`);

export type Plan = ResultOf<typeof PLAN>;
export type Price = Plan['prices'][number];
export type PlanFeature = Plan['features'][number];
export type Membership = ResultOf<typeof MEMBERSHIP>;
export type Entitlement = ResultOf<typeof ENTITLEMENT>;
