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
  RBAC_CYCLE: 'A role would include itself by this.',
  RBAC_DEPTH: 'Roles include one another at most 64 levels deep.',
  RBAC_ESCALATION: 'You cannot give what you do not hold yourself.',
  RBAC_DEPENDENTS: 'Others depend on this.',
  RBAC_UNBOUND_PARAM: 'Every parameter needs a value, or * for any.',
  RBAC_BAD_VALUE: 'This is no value of the parameter.',
  RBAC_SYSTEM_ROLE: 'This role is the server’s own and stays as it is.',
  ROLE_KEY_TAKEN: 'There is a role with this key already.',
  ROLE_IN_USE: 'A plan gives this role. Change the plan first.',
  LAST_ADMIN: 'The last administrator cannot lose the role.',
  NOT_SETTABLE: 'You cannot use this role alone.',
  UNKNOWN_PERMISSION: 'There is no such permission.',
  FIELD_FORBIDDEN: 'You cannot write this field.',
  SCOPE_CHANGED: 'What you may see has changed.',
  TIMEOUT: 'The server took too long. Try again.',
  NOT_FOUND: 'It is not there any more, or it is not yours.',
  BAD_CREDENTIALS: 'Name or password is wrong.',
  ACCOUNT_DISABLED: 'An administrator has disabled this account. Only they can let you in again.',
  SESSION_ENDED: 'Your session has ended. Sign in again.',
  EMAIL_TAKEN: 'There is an account with this mail address already. Sign in instead?',
  EMAIL_INVALID: 'This does not look like a mail address.',
  EMAIL_UNVERIFIED: 'This takes an account with a confirmed mail address.',
  USERNAME_TAKEN: 'Somebody else has this username.',
  USERNAME_INVALID: 'Use 3 to 30 letters, digits, dots, dashes and underscores.',
  ADDRESS_LAST: 'This is your only address, and mails must reach you.',
  ADDRESS_LIMIT: 'An account has at most ten mail addresses.',
  REGISTRATION_CLOSED: 'No new accounts are made here.',
  INVITATION_INVALID: 'This invitation is for another address, was used already or has lapsed.',
  TERMS_VERSION: 'The terms have changed meanwhile. Load the page anew to read them.',
  TICKET_INVALID: 'The code or link is wrong, was used already or has lapsed.',
  FACTOR_CODE_INVALID: 'This code is wrong, or was used already.',
  FACTOR_NEEDED: 'This wants a second factor on your account.',
  WAY_IN_LAST: 'This is your last way in. Add another before you remove it.',
  PASSKEY_INVALID: 'This passkey was not accepted.',
  PASSKEY_CANCELLED: 'The passkey was not used. Try again, or choose another way.',
  PASSKEY_KNOWN: 'This device holds a passkey of your account already.',
  PASSKEY_UNSUPPORTED: 'This browser, or this connection, does not support passkeys.',
  REAUTH_REQUIRED: 'This wants a fresh proof that it is you. Try again.',
  IMPERSONATION_FORBIDDEN: 'You act as somebody else. This is for them alone: be yourself again to do it for yourself.',
  IMPERSONATION_REFUSED: 'You can only act as somebody whose roles allow less than yours.',
  SESSION_LIMIT: 'You are signed in on as many devices as you may be. Sign out on one of them first.',
  SOCKET_NEEDED: 'This is about the live connection, and works over it only.',
  DATA_STALE: 'It has changed meanwhile. Load it anew.',
  DATA_TOO_LARGE: 'This is more than can be kept.',
  RATE_LIMITED: 'Too many attempts. Try again later.',
  PROVIDER_UNKNOWN: 'This provider is no longer offered.',
  PROVIDER_FAILED: 'The other provider did not sign you in. Try again, or choose another way.',
  IDENTITY_UNVERIFIED: 'There is an account with this mail address, and the provider does not vouch for it. Sign in another way, then link the provider under Security.',
  IDENTITY_TAKEN: 'This account of the provider belongs to somebody else here already.',
  KEY_LIMIT: 'You have as many access keys as one may have. Revoke one first.',
  STEP_UNKNOWN: 'This account needs a further step that this page does not know yet. Load it anew to get the newest one.',
  PASSWORD_WEAK: 'Choose a password of 8 to 128 characters that is not a common one.',
  TOO_BUSY: 'Many people are signing in right now. Try again in a moment.',
  ADDON_UNAVAILABLE: 'This add-on is not offered, or not with this plan.',
  CLOCK_FORBIDDEN: 'Clocks are only moved in development, and only forward.',
  COUPON_INVALID: 'This coupon is not good here, or not any more.',
  CURRENCY_MISMATCH: 'There is a balance in another currency.',
  FEATURE_NOT_IN_PLAN: 'Your plan does not have this.',
  FEATURE_UNKNOWN: 'There is no such feature, or not one of this kind.',
  MEMBERSHIP_STATE: 'The membership is in a state that does not allow this.',
  OVER_QUOTA: 'More is used than your plan allows. Nothing can be changed until some is deleted.',
  PAYMENT_DECLINED: 'The payment was declined. Nothing was charged, and your plan is as it was.',
  PAYMENT_UNREACHABLE: 'The payment provider does not answer. Nothing is charged twice if you try again.',
  PLAN_BUSY: 'A payment is under way. Try again in a moment.',
  PLAN_IN_USE: 'Somebody is on this plan.',
  PLAN_NO_DEFAULT: 'Exactly one plan must be the default.',
  PLAN_SAME: 'You are on this plan already.',
  PLAN_STALE: 'Your plan changed meanwhile, perhaps in another window. It is shown as it is now.',
  PLAN_UNKNOWN: 'This plan is no longer offered.',
  PREVIEW_EXPIRED: 'This preview is too old to be taken up.',
  PRICE_UNKNOWN: 'The plan has no such price.',
  REFUND_IMPOSSIBLE: 'There is nothing left of this payment to give back.',
  QUOTA_EXCEEDED: 'Your plan does not allow any more of this.',
  CONTENT_TYPE_UNKNOWN: 'There is no such content type.',
  CONTENT_TYPE_TAKEN: 'There is a content type with this key already.',
  CONTENT_TYPE_LIMIT: 'There are as many content types as this server keeps.',
  CONTENT_TYPE_RETIRED: 'This content type is out of use.',
  CONTENT_TYPE_STALE: 'The content type changed meanwhile. Load it anew.',
  DOCUMENT_STALE: 'Somebody else changed the document meanwhile.',
  DOCUMENT_DELETING: 'The document is being deleted.',
  REF_RESTRICTED: 'Other documents point at this one and forbid its deletion.',
  REF_CASCADE_TOO_LARGE: 'Too many documents would be deleted or changed along with this one.',
  RESTORE_BLOCKED: 'What the document points at is not there any more.',
  REVISION_UNKNOWN: 'There is no such revision, or it is kept no longer.',
  SCHEMA_INCOMPATIBLE: 'There are documents that would not be valid by this schema.',
  DOCUMENT_INVALID: 'The document does not fit its content type.',
  REF_TYPE: 'This reference may not point at an object of that kind.',
  REF_TARGET_MISSING: 'The reference points at nothing.',
  METRIC_UNKNOWN: 'There is no such metric any more.',
  DIMENSION_UNKNOWN: 'The metric cannot be broken down by this.',
  REPORT_RANGE: 'The range is empty, or it has more than 1,500 buckets: choose wider ones.',
  REPORT_TOO_LARGE: 'This would have to read too much: shorten it, or break it down by less.',
  REPORT_UNAVAILABLE: 'The numbers of that time are no longer kept in such detail: choose wider buckets.',
  EVENT_SOURCE_INVALID: 'A key needs a name, 1 to 50 names of events, and origins such as https://shop.example.org.',
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
  const known = problem(typeof code === 'string' ? code : 'INTERNAL', first.message);
  return {
    ...known,
    text: known.code === 'RATE_LIMITED' ? tooMany(details['retryAfter'], known.text) : known.text,
    field: typeof field === 'string' ? field : null,
    requestId: typeof requestId === 'string' ? requestId : null,
    details,
  };
}

/** A problem of which no more than the code and the server's message are known. */
export function problem(code: string, message: string): Problem {
  return { code, text: words[code] ?? sentence(message || 'something went wrong'), field: null, requestId: null, details: {} };
}

/** Whether it says that nobody is signed in any more. */
export function isSignedOut({ code }: Problem): boolean {
  return code === 'UNAUTHENTICATED' || code === 'SESSION_ENDED';
}

/** Says when to come back, if the server does. */
function tooMany(seconds: unknown, otherwise: string): string {
  if (typeof seconds !== 'number') return otherwise;
  const wait = seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
  return `Too many attempts. Try again in ${wait}.`;
}

/** The input of a form that a problem is about, such as `email`: the one the server names, or else that of the code. */
export function blamed(failure: Problem | null, byCode: Record<string, string> = {}): string | undefined {
  return failure?.field?.replace(/^input\./, '') ?? (failure ? byCode[failure.code] : undefined);
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
