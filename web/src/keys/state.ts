import type { Key } from './operations';

/** What has become of a key. */
export function stateOf({ revokedAt, expiresAt }: Pick<Key, 'revokedAt' | 'expiresAt'>, nowMs: number) {
  if (revokedAt) return 'revoked';
  return Date.parse(expiresAt) <= nowMs ? 'lapsed' : 'works';
}
