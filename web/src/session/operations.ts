import { graphql, type ResultOf } from '../gql/graphql';

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

export const STEP_UP = graphql(`
  query StepUp {
    stepUp { level authenticatedAt freshUntil factors }
  }
`);

export const STOP_IMPERSONATING = graphql(`
  mutation StopImpersonating {
    stopImpersonating { user { id } }
  }
`);

export const TAKE_FLASH_MESSAGES = graphql(`
  mutation TakeFlashMessages {
    takeFlashMessages { messages { level code text at } }
  }
`);

export type StepUp = ResultOf<typeof STEP_UP>['stepUp'];
export type FlashMessage = ResultOf<typeof TAKE_FLASH_MESSAGES>['takeFlashMessages']['messages'][number];
