import { expect, test } from 'vitest';

import type { StepUp } from './operations';
import { stepUpWords } from './stepUp';

const now = Date.parse('2026-01-02T12:00:00.000Z');
const stale: StepUp = {
  level: 'FULL',
  authenticatedAt: '2026-01-02T11:48:00.000Z',
  freshUntil: '2026-01-02T11:53:00.000Z',
  factors: ['PASSWORD'],
};

test.each<[string, Partial<StepUp>, string]>([
  ['a proof that has lapsed', {}, 'You last showed who you are 12 min ago. What you are about to do wants it more recent. Show it by your password.'],
  [
    'one of long ago',
    { authenticatedAt: '2025-12-30T12:00:00.000Z' },
    'You last showed who you are on 30 Dec 2025. What you are about to do wants it more recent. Show it by your password.',
  ],
  [
    'one that is recent and not enough',
    { freshUntil: '2026-01-02T12:03:00.000Z', factors: ['TOTP', 'PASSKEY', 'RECOVERY_CODE'] },
    'What you are about to do wants a newer or stronger proof than your last one. Show it by your authenticator app, a passkey, or a recovery code.',
  ],
  [
    'factors of a newer server',
    { factors: ['RETINA', 'EMAIL_CODE'] as unknown as StepUp['factors'] },
    'You last showed who you are 12 min ago. What you are about to do wants it more recent. Show it by a code by mail.',
  ],
  ['nothing that would do', { factors: [] }, 'You last showed who you are 12 min ago. What you are about to do wants it more recent.'],
])('%s', (_, rest, want) => expect(stepUpWords({ ...stale, ...rest }, now)).toBe(want));
