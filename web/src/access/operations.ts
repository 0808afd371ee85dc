import { graphql, type ResultOf } from '../gql/graphql';

export const ACCESS = graphql(`
  query Access {
    me {
      permissions
      membership { id version since plan { id key name } }
      entitlements { feature limit used remaining source }
    }
    plans { id key name rank isDefault price { amountMinor currency } limits { feature limit } }
    permissions { key description }
  }
`);

export const ROLES = graphql(`
  query Roles {
    roles(first: 100) {
      nodes { id key name description permissions effectivePermissions includes { id key name } }
    }
  }
`);

export const CHANGE_PLAN = graphql(`
  mutation ChangePlan($input: ChangePlanInput!) {
    changePlan(input: $input) { membership { id version since plan { id key name } } }
  }
`);

type Access = ResultOf<typeof ACCESS>;
export type Me = NonNullable<Access['me']>;
export type Plan = Access['plans'][number];
export type Permission = Access['permissions'][number];
export type Role = ResultOf<typeof ROLES>['roles']['nodes'][number];
