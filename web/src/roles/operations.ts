import { graphql, type ResultOf, type VariablesOf } from '../gql/graphql';

export const ROLE_GRAPH = graphql(`
  query RoleGraph {
    roles(first: 100) {
      nodes { id key name description permissions effectivePermissions params { name type values } }
      pageInfo { hasNextPage }
    }
    roleEdges { id member bindings inherit set admin notBefore expiresAt role { id key } }
    permissions { key params description }
  }
`);

export const RIGHTS_OF = graphql(`
  query RightsOf($user: ID!) {
    permissionsOf(user: $user)
    grants(member: $user) { id bindings inherit set admin source notBefore expiresAt reason role { id key name } }
  }
`);

export const EXPLAIN = graphql(`
  query Explain($user: ID!, $check: CheckInput!) {
    explain(user: $user, check: $check) {
      text
      decision { allowed reason predicate rev }
      path { grant role }
      objectGrant
      supportingGrants
      predicates { name expression outcome }
      missing
      roles
    }
  }
`);

export const SIMULATE = graphql(`
  query SimulatePolicy($changes: [PolicyChangeInput!]!) {
    simulatePolicy(changes: $changes) { complete diffs { user gains loses } }
  }
`);

export const NAMES = graphql(`
  query Names($ids: [ID!]!) {
    nodes(ids: $ids) { id ... on User { name } }
  }
`);

export const PEOPLE = graphql(`
  query PeopleToPick {
    users(first: 100) { nodes { id name } }
  }
`);

export const GRANT_ROLE = graphql(`
  mutation GrantRole($input: GrantRoleInput!) {
    grantRole(input: $input) { rev }
  }
`);

export const REVOKE_GRANT = graphql(`
  mutation RevokeGrant($input: RevokeGrantInput!) {
    revokeGrant(input: $input) { rev }
  }
`);

export const SET_OPTIONS = graphql(`
  mutation SetGrantOptions($input: SetGrantOptionsInput!) {
    setGrantOptions(input: $input) { rev }
  }
`);

export const CREATE_ROLE = graphql(`
  mutation CreateRole($input: CreateRoleInput!) {
    createRole(input: $input) { rev }
  }
`);

export const UPDATE_ROLE = graphql(`
  mutation UpdateRole($input: UpdateRoleInput!) {
    updateRole(input: $input) { rev }
  }
`);

export const DELETE_ROLE = graphql(`
  mutation DeleteRole($input: DeleteRoleInput!) {
    deleteRole(input: $input) { rev }
  }
`);

export const MY_GRANTS = graphql(`
  query MyGrants {
    myGrants { id bindings set role { id name } }
  }
`);

export const ACTIVATE_ROLE = graphql(`
  mutation ActivateRole($input: ActivateRoleInput!) {
    activateRole(input: $input) { activeRole { bindings } }
  }
`);

export const RESET_ROLE = graphql(`
  mutation ResetRole {
    resetRole { permissions }
  }
`);

type Graph = ResultOf<typeof ROLE_GRAPH>;
export type Role = Graph['roles']['nodes'][number];
export type RoleEdge = Graph['roleEdges'][number];
export type Permission = Graph['permissions'][number];
export type Explanation = ResultOf<typeof EXPLAIN>['explain'];
export type GrantInput = VariablesOf<typeof GRANT_ROLE>['input'];
export type PolicyChange = VariablesOf<typeof SIMULATE>['changes'][number];
export type Diff = ResultOf<typeof SIMULATE>['simulatePolicy']['diffs'][number];
