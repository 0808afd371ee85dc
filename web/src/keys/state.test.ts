import { expect, test } from 'vitest';

import { stateOf } from './state';

const now = Date.parse('2026-01-02T12:00:00.000Z');
const later = '2026-01-02T12:00:00.001Z';
const gone = '2026-01-02T12:00:00.000Z';

test.each([
  [{ revokedAt: null, expiresAt: later }, 'works'],
  [{ revokedAt: null, expiresAt: gone }, 'lapsed'],
  [{ revokedAt: gone, expiresAt: later }, 'revoked'],
  [{ revokedAt: gone, expiresAt: gone }, 'revoked'],
])('%j is %s', (key, want) => expect(stateOf(key, now)).toBe(want));
