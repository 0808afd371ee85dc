import type { FactorKind } from '../auth/steps';
import { ago, date } from '../format/time';
import type { StepUp } from './operations';

const dayMs = 86_400_000;

const proofs: Record<FactorKind, string> = {
  PASSWORD: 'your password',
  TOTP: 'your authenticator app',
  PASSKEY: 'a passkey',
  RECOVERY_CODE: 'a recovery code',
  EMAIL_CODE: 'a code by mail',
};

const either = new Intl.ListFormat('en', { type: 'disjunction' });

/** Why somebody is asked once more who they are, and by what they can show it. */
export function stepUpWords({ authenticatedAt, freshUntil, factors }: StepUp, nowMs: number): string {
  // A server newer than this page may know more.
  const known = factors.flatMap((f) => (Object.hasOwn(proofs, f) ? [proofs[f]] : []));
  const by = known.length > 0 ? ` Show it by ${either.format(known)}.` : '';
  if (Date.parse(freshUntil) > nowMs) return `What you are about to do wants a newer or stronger proof than your last one.${by}`;
  const long = nowMs - Date.parse(authenticatedAt) >= dayMs;
  const last = long ? `on ${date(authenticatedAt)}` : ago(authenticatedAt, nowMs);
  return `You last showed who you are ${last}. What you are about to do wants it more recent.${by}`;
}
