import { graphql, type ResultOf } from '../gql/graphql';

const RESULT = graphql(`
  fragment Result on SignInResult {
    __typename
    ... on SignedIn { restored }
    ... on FactorRequired { flow factors expiresAt }
    ... on VerificationRequired { flow email expiresAt }
  }
`);

export const SIGN_IN = graphql(
  `
    mutation SignIn($input: SignInInput!) {
      signIn(input: $input) { result { ...Result } }
    }
  `,
  [RESULT],
);

export const COMPLETE_SIGN_IN = graphql(
  `
    mutation CompleteSignIn($input: CompleteSignInInput!) {
      completeSignIn(input: $input) { result { ...Result } }
    }
  `,
  [RESULT],
);

export const CHALLENGE = graphql(`
  mutation Challenge($input: ChallengeInput!) {
    challenge(input: $input) { options }
  }
`);

export const REGISTER = graphql(
  `
    mutation Register($input: RegisterInput!) {
      register(input: $input) { result { ...Result } }
    }
  `,
  [RESULT],
);

export const VERIFY_EMAIL = graphql(
  `
    mutation VerifyEmail($input: VerifyEmailInput!) {
      verifyEmail(input: $input) { result { ...Result } }
    }
  `,
  [RESULT],
);

export const RESEND_VERIFICATION = graphql(`
  mutation ResendVerification($input: ResendVerificationInput!) {
    resendVerification(input: $input) { flow expiresAt }
  }
`);

export const REQUEST_SIGN_IN_MAIL = graphql(`
  mutation RequestSignInMail($input: RequestSignInMailInput!) {
    requestSignInMail(input: $input) { flow expiresAt }
  }
`);

export const SIGN_IN_WITH_MAIL = graphql(
  `
    mutation SignInWithMail($input: SignInWithMailInput!) {
      signInWithMail(input: $input) { result { ...Result } }
    }
  `,
  [RESULT],
);

export const BEGIN_PASSKEY_SIGN_IN = graphql(`
  mutation BeginPasskeySignIn {
    beginPasskeySignIn { flow options }
  }
`);

export const SIGN_IN_WITH_PASSKEY = graphql(
  `
    mutation SignInWithPasskey($input: SignInWithPasskeyInput!) {
      signInWithPasskey(input: $input) { result { ...Result } }
    }
  `,
  [RESULT],
);

export const SIGN_IN_ANONYMOUSLY = graphql(
  `
    mutation SignInAnonymously($input: SignInAnonymouslyInput!) {
      signInAnonymously(input: $input) { result { ...Result } }
    }
  `,
  [RESULT],
);

export const BEGIN_PROVIDER = graphql(`
  mutation BeginProvider($input: BeginProviderInput!) {
    beginProvider(input: $input) { url }
  }
`);

export const REQUEST_PASSWORD_RESET = graphql(`
  mutation RequestPasswordReset($input: RequestPasswordResetInput!) {
    requestPasswordReset(input: $input) { flow expiresAt }
  }
`);

export const RESET_PASSWORD = graphql(`
  mutation ResetPassword($input: ResetPasswordInput!) {
    resetPassword(input: $input) { ended }
  }
`);

export const CONFIRM_EMAIL = graphql(`
  mutation ConfirmEmail($input: ConfirmEmailInput!) {
    confirmEmail(input: $input) { emails { email primary } }
  }
`);

export type SignInResult = ResultOf<typeof RESULT>;
