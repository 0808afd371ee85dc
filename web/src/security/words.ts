// What the server tells in keys, in a reader's words. A server newer than this page may tell more: then the key itself has to do.

/** What happened, by the kind of its event. */
const events: Record<string, string> = {
  'account.address.added': 'Mail address added',
  'account.address.primary_changed': 'Primary mail address changed',
  'account.address.removed': 'Mail address removed',
  'account.password.changed': 'Password changed',
  'account.password.set': 'Password set',
  'account.terms.accepted': 'Terms accepted',
  'account.user.created': 'Account created',
  'account.user.deactivated': 'Account deactivated',
  'account.user.deleted': 'Account deleted',
  'account.user.deletion_scheduled': 'Deletion of the account asked for',
  'account.user.disabled': 'Account disabled',
  'account.user.enabled': 'Account enabled again',
  'account.user.reactivated': 'Account restored',
  'account.user.updated': 'Profile changed',
  'account.user.upgraded': 'Guest registered',
  'factor.factor.added': 'Second factor added',
  'factor.factor.removed': 'Second factor removed',
  'factor.factor.renamed': 'Second factor renamed',
  'factor.passkey.counter_regressed': 'A passkey may have been copied',
  'factor.recovery_code.used': 'Recovery code used',
  'factor.recovery_set.made': 'New recovery codes made',
  'factor.recovery_set.voided': 'Recovery codes made void',
  'session.device.added': 'Signed in from a new device',
  'session.device.forgotten': 'Device forgotten',
  'session.device.trusted': 'Device trusted',
  'session.impersonation.started': 'Session for an impersonation begun',
  'session.key.created': 'Access key made',
  'session.key.revoked': 'Access key revoked',
  'session.role.activated': 'One role used alone',
  'session.role.reset': 'All roles used again',
  'session.session.elevated': 'Identity confirmed again',
  'session.session.ended': 'Session ended',
  'session.session.renamed': 'Session renamed',
  'session.session.renewed': 'Session got a new secret',
  'session.session.started': 'Signed in',
  'social.identity.linked': 'Account elsewhere linked',
  'social.identity.unlinked': 'Account elsewhere unlinked',
  'throttle.limit.reached': 'Too many attempts',
  'webauth.data.exported': 'Data exported',
  'webauth.impersonation.ended': 'Impersonation ended',
  'webauth.impersonation.started': 'Impersonation begun',
  'webauth.token.reused': 'A copy of a secret was used; the session was ended',
  'webauth.invitation.accepted': 'Invitation accepted',
  'webauth.invitation.created': 'Somebody invited',
  'webauth.invitation.revoked': 'Invitation taken back',
  'webauth.reset.completed': 'Password reset',
  'webauth.reset.requested': 'Password reset asked for',
  'webauth.session.ended': 'Session ended by an administrator',
  'webauth.signin.failed': 'Sign-in failed',
  'webauth.user.signed_out': 'Signed out everywhere by an administrator',
};

/** Ways of signing in, by the values of RFC 8176 and the server's own. */
const methods: Record<string, string> = {
  pwd: 'password',
  otp: 'authenticator app',
  hwk: 'passkey',
  mail: 'mail',
  fed: 'linked account',
  kba: 'recovery code',
  guest: 'guest access',
};

const list = new Intl.ListFormat('en');

/** What happened: `Password changed`. */
export function eventWords(kind: string): string {
  return wordsFor(events, kind);
}

/** How somebody signed in: `password and passkey`. Empty for no method. */
export function methodWords(used: readonly string[]): string {
  return list.format(used.map((method) => wordsFor(methods, method)));
}

// A plain object has more names than its own.
function wordsFor(table: Record<string, string>, key: string): string {
  return (Object.hasOwn(table, key) && table[key]) || key;
}
