import { graphql } from '../gql/graphql';

export const SIGN_OUT = graphql(`
  mutation SignOut {
    signOut { ended }
  }
`);

export const ELEVATE = graphql(`
  mutation Elevate {
    elevate { required { flow factors expiresAt } }
  }
`);

export const COMPLETE_ELEVATION = graphql(`
  mutation CompleteElevation($input: CompleteElevationInput!) {
    completeElevation(input: $input) { session { id authenticatedAt } }
  }
`);

export const ACCEPT_TERMS = graphql(`
  mutation AcceptTerms($input: UpdateMeInput!) {
    updateMe(input: $input) { user { id } }
  }
`);
