// What went wrong, in words for the person at the screen. Codes are those of docs/errors.md.
import { CombinedError } from '@urql/core';

import { sentence } from '../format/text';

export interface Problem {
  /** `extensions.code`, or NETWORK when there was no answer. */
  code: string;
  text: string;
  /** Dotted path of the input blamed, such as `input.email`; null when none is. */
  field: string | null;
  /** Finds the failure in the server's log. */
  requestId: string | null;
  /** The rest of the extensions. */
  details: Record<string, unknown>;
}

const words: Record<string, string> = {
  NETWORK: 'The server can’t be reached. Check that it runs and that you are online.',
  INTERNAL: 'Something broke on the server. It has been logged.',
  UNAUTHENTICATED: 'You are not signed in, or your session has ended.',
  FORBIDDEN: 'Your roles do not allow this.',
  POLICY_STALE: 'The server is catching up with a change of rights. Try again in a moment.',
  TIMEOUT: 'The server took too long. Try again.',
  BAD_CREDENTIALS: 'Mail address or password is wrong.',
  EMAIL_TAKEN: 'There is an account with this mail address already. Sign in instead?',
  EMAIL_INVALID: 'This does not look like a mail address.',
  PASSWORD_WEAK: 'Choose a password of 8 to 128 characters that is not a common one.',
  TOO_BUSY: 'Many people are signing in right now. Try again in a moment.',
  PLAN_SAME: 'You are on this plan already.',
  PLAN_STALE: 'Your plan changed meanwhile, perhaps in another window. It is shown as it is now.',
  PLAN_UNKNOWN: 'This plan is no longer offered.',
  QUOTA_EXCEEDED: 'Your plan does not allow any more of this.',
  CONTENT_TYPE_UNKNOWN: 'There is no such content type.',
  DOCUMENT_INVALID: 'The document does not fit its content type.',
  REF_TYPE: 'This reference may not point at an object of that kind.',
  REF_TARGET_MISSING: 'The reference points at nothing.',
  CHANNEL_ENDED: 'Your right to follow this has ended.',
};

interface Coded {
  message: string;
  extensions?: Record<string, unknown> | undefined;
}

/** Explains whatever urql, graphql-ws or fetch failed with. */
export function problemOf(error: unknown): Problem {
  const first = coded(error);
  if (!first) return problem('NETWORK', '');
  const { code, field, requestId, ...details } = first.extensions ?? {};
  return {
    ...problem(typeof code === 'string' ? code : 'INTERNAL', first.message),
    field: typeof field === 'string' ? field : null,
    requestId: typeof requestId === 'string' ? requestId : null,
    details,
  };
}

/** A problem of which no more than the code and the server's message are known. */
export function problem(code: string, message: string): Problem {
  return { code, text: words[code] ?? sentence(message || 'something went wrong'), field: null, requestId: null, details: {} };
}

function coded(error: unknown): Coded | undefined {
  if (error instanceof CombinedError) return error.graphQLErrors[0];
  if (Array.isArray(error)) return error[0] as Coded | undefined;
  if (isClosed(error)) return { message: error.reason, extensions: { code: closeCodes[error.code] ?? 'NETWORK' } };
  return undefined;
}

/** A CloseEvent by its shape: the name is missing outside browsers. */
function isClosed(error: unknown): error is { code: number; reason: string } {
  return typeof error === 'object' && error !== null && 'reason' in error && 'code' in error && typeof error.code === 'number';
}

const closeCodes: Record<number, string> = { 4401: 'UNAUTHENTICATED', 4403: 'UNAUTHENTICATED' };
