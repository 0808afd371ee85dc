// What comes next on the way in.
import type { VariablesOf } from '../gql/graphql';
import type { COMPLETE_SIGN_IN, SignInResult } from './operations';

export type FactorKind = Extract<SignInResult, { __typename: 'FactorRequired' }>['factors'][number];
export type Proof = VariablesOf<typeof COMPLETE_SIGN_IN>['input']['proof'];

/** An attempt that wants one more proof. */
export interface RequiredFactor {
  flow: string;
  factors: FactorKind[];
  expiresAt: string;
}

export type Step =
  | ({ kind: 'factor' } & RequiredFactor)
  | { kind: 'verify'; flow: string; email: string; expiresAt: string }
  /** Signed in, with something to be told first. */
  | { kind: 'restored' }
  /** A newer server than this page. */
  | { kind: 'unknown' };

/** The step that an answer of the server asks for; null when the user is in. */
export function stepAfter(result: SignInResult): Step | null {
  switch (result.__typename) {
    case 'SignedIn':
      return result.restored ? { kind: 'restored' } : null;
    case 'FactorRequired': {
      const { flow, factors, expiresAt } = result;
      const usable = factors.filter(isKnown);
      return usable.length > 0 ? { kind: 'factor', flow, factors: usable, expiresAt } : { kind: 'unknown' };
    }
    case 'VerificationRequired': {
      const { flow, email, expiresAt } = result;
      return { kind: 'verify', flow, email, expiresAt };
    }
    default:
      return { kind: 'unknown' };
  }
}

/** The step that the callback of a provider put behind the # of the address; null for none. */
export function stepFrom(fragment: { get(name: string): string | null }): Step | null {
  const flow = fragment.get('flow');
  if (!flow) return null;
  const factors = (fragment.get('factors') ?? '').split(',') as FactorKind[];
  return stepAfter({ __typename: 'FactorRequired', flow, factors, expiresAt: fragment.get('expires') ?? '' });
}

/** The factor to ask for first: the server names the best first, but a recovery code is for need. */
export function firstFactor(factors: FactorKind[]): FactorKind | undefined {
  const known = factors.filter(isKnown);
  return known.find((f) => f !== 'RECOVERY_CODE') ?? known[0];
}

/** A server newer than this page may know more. */
export function isKnown(factor: FactorKind): boolean {
  return Object.hasOwn(factorNames, factor);
}

export const factorNames: Record<FactorKind, string> = {
  PASSWORD: 'Password',
  TOTP: 'Authenticator app',
  PASSKEY: 'Passkey',
  RECOVERY_CODE: 'Recovery code',
  EMAIL_CODE: 'Code by mail',
};
