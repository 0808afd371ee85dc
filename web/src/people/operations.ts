import { graphql, type ResultOf } from '../gql/graphql';
import { SESSION } from '../session/fragments';

const PERSON = graphql(`
  fragment Person on User {
    id
    kind
    name
    username
    email
    createdAt
    disabledAt
  }
`);

export const USERS = graphql(
  `
    query Users($first: Int, $after: String, $last: Int, $before: String) {
      users(first: $first, after: $after, last: $last, before: $before) {
        nodes { ...Person }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  `,
  [PERSON],
);

export const DISABLE_USER = graphql(
  `
    mutation DisableUser($input: DisableUserInput!) {
      disableUser(input: $input) { user { ...Person } }
    }
  `,
  [PERSON],
);

export const ENABLE_USER = graphql(
  `
    mutation EnableUser($input: EnableUserInput!) {
      enableUser(input: $input) { user { ...Person } }
    }
  `,
  [PERSON],
);

export const SIGN_OUT_USER = graphql(
  `
    mutation SignOutUser($input: SignOutUserInput!) {
      signOutUser(input: $input) { user { ...Person } }
    }
  `,
  [PERSON],
);

export const START_RESET = graphql(
  `
    mutation StartPasswordReset($input: StartPasswordResetInput!) {
      startPasswordReset(input: $input) { user { ...Person } }
    }
  `,
  [PERSON],
);

export const IMPERSONATE = graphql(`
  mutation Impersonate($input: ImpersonateInput!) {
    impersonate(input: $input) { user { id } session { id } }
  }
`);

/** Where somebody else is signed in. */
export const USER_SESSIONS = graphql(
  `
    query UserSessions($user: ID!) {
      userSessions(user: $user, first: 100) { nodes { ...SessionFields } }
    }
  `,
  [SESSION],
);

export const INVITATIONS = graphql(`
  query Invitations {
    invitations(first: 50) { nodes { id email role plan createdAt expiresAt } }
    plans { key name isDefault }
  }
`);

/** Roles to choose from: only for who may read them. */
export const ROLE_KEYS = graphql(`
  query RoleKeys {
    roles(first: 100) { nodes { key name } }
  }
`);

export const INVITE = graphql(`
  mutation Invite($input: InviteInput!) {
    invite(input: $input) { invitation { id email } }
  }
`);

export const REVOKE_INVITATION = graphql(`
  mutation RevokeInvitation($input: RevokeInvitationInput!) {
    revokeInvitation(input: $input) { invitation { id } }
  }
`);

export const SERVICES = graphql(
  `
    query Services {
      serviceAccounts(first: 50) { nodes { ...Person } }
    }
  `,
  [PERSON],
);

export const CREATE_SERVICE = graphql(
  `
    mutation CreateServiceAccount($input: CreateServiceAccountInput!) {
      createServiceAccount(input: $input) { user { ...Person } }
    }
  `,
  [PERSON],
);

export type Person = ResultOf<typeof PERSON>;
export type Invitation = ResultOf<typeof INVITATIONS>['invitations']['nodes'][number];
export type PlanName = ResultOf<typeof INVITATIONS>['plans'][number];
