import { graphql } from '../gql/graphql';

export const SIGN_IN = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) { result { __typename } }
  }
`);

export const REGISTER = graphql(`
  mutation Register($input: RegisterInput!) {
    register(input: $input) { result { __typename } }
  }
`);

export const SIGN_OUT = graphql(`
  mutation SignOut {
    signOut { ended }
  }
`);
