import { graphql, type ResultOf } from '../gql/graphql';

export const ACCESS = graphql(`
  query Access {
    me { permissions }
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

type Access = ResultOf<typeof ACCESS>;
export type Permission = Access['permissions'][number];
export type Role = ResultOf<typeof ROLES>['roles']['nodes'][number];
