import { expect, test } from 'vitest';

import { idles, stillWarns, warnedOf, whyEnded } from './ended';

const at = '2026-01-02T12:00:00.000Z';
const now = (seconds: number) => Date.parse(at) + seconds * 1000;

test('a ping may warn of the end', () => expect(warnedOf({ code: 'SESSION_EXPIRING', expiresAt: at })).toBe(at));

test.each([
  undefined,
  null,
  'SESSION_EXPIRING',
  {},
  { code: 'SESSION_EXPIRING' },
  { code: 'SESSION_EXPIRING', expiresAt: 'soon' },
  { code: 'SESSION_EXPIRING', expiresAt: 7 },
  { code: 'OTHER', expiresAt: at },
])('the payload %j warns of nothing', (payload) => expect(warnedOf(payload)).toBeNull());

test.each([
  [{ code: 4403, reason: 'Session ended' }, null, 0, 'elsewhere'],
  [{ code: 4403, reason: 'Session ended' }, at, -40, 'elsewhere'], // warned, and ended before
  [{ code: 4403, reason: 'Session ended' }, at, 1, 'time'],
  [{ code: 4403, reason: 'Session ended' }, at, -2, 'time'], // this clock is behind
  [{ code: 4403, reason: 'Token expired' }, null, 0, 'time'],
  [{ code: 4403, reason: 'Forbidden' }, null, 0, 'unknown'],
  [{ code: 4401, reason: 'Unauthorized' }, at, 1, 'unknown'],
  [{ code: 1006, reason: '' }, null, 0, 'unknown'],
  [new Error('handshake'), null, 0, 'unknown'],
  [undefined, null, 0, 'unknown'],
] as const)('closed by %j after the warning of %s it is over because of %s %s', (event, endsAt, seconds, want) => {
  expect(whyEnded(event, endsAt, now(seconds))).toBe(want);
});

test.each([
  [-60, true],
  [4, true], // the close is on its way
  [5, false],
])('%d s from the end the warning shows: %s', (seconds, want) => expect(stillWarns(at, now(seconds))).toBe(want));

test.each([
  ['2026-01-31T12:00:00.000Z', true],
  ['2026-01-02T12:00:00.500Z', false],
  [at, false],
  [undefined, false],
])('with the end of all at %s it is for want of use: %s', (expiresAt, want) => expect(idles(at, expiresAt)).toBe(want));
