import { expect, test } from 'vitest';

import type { Session } from '../session/fragments';
import { beginning, lasting, sessionName, whereabouts } from './sessionWords';

const now = Date.parse('2026-01-02T12:00:00.000Z');
const session: Session = {
  id: 's',
  label: null,
  client: 'Firefox on Linux',
  ip: '203.0.113.7',
  place: null,
  createdAt: '2026-01-01T12:00:00.000Z',
  lastSeenAt: '2026-01-02T11:55:00.000Z',
  idleUntil: '2026-01-16T13:00:00.000Z',
  expiresAt: '2026-01-31T12:00:00.000Z',
  remembered: true,
  current: false,
  impersonated: false,
  methods: ['pwd'],
};

test.each([
  [{ label: 'Work', client: 'Firefox on Linux' }, 'Work'],
  [{ label: null, client: 'Firefox on Linux' }, 'Firefox on Linux'],
  [{ label: '', client: '' }, 'Unknown device'],
])('%j is called %s', (of, want) => expect(sessionName(of)).toBe(want));

test.each<[Partial<Session>, string]>([
  [{}, '203.0.113.7 · last seen 5 min ago'],
  [{ place: 'Leipzig, Germany' }, '203.0.113.7 · Leipzig, Germany · last seen 5 min ago'],
  [{ label: 'Work' }, 'Firefox on Linux · 203.0.113.7 · last seen 5 min ago'],
  [{ label: 'Work', client: '' }, 'Unknown device · 203.0.113.7 · last seen 5 min ago'],
])('with %j it is at %s', (rest, want) => expect(whereabouts({ ...session, ...rest }, now)).toBe(want));

test.each<[Partial<Session>, string]>([
  [{}, 'Signed in 1 Jan 2026 by password'],
  [{ methods: [] }, 'Signed in 1 Jan 2026'],
  [{ impersonated: true }, 'Began 1 Jan 2026'],
])('with %j it began: %s', (rest, want) => expect(beginning({ ...session, ...rest })).toBe(want));

test.each<[Partial<Session>, string]>([
  [{}, 'stays signed in, ends in 14 days unless used'],
  [{ remembered: false, idleUntil: '2026-01-02T20:30:00.000Z', expiresAt: '2026-01-02T20:30:00.000Z' }, 'for the day, ends in 8 h'],
  [{ remembered: false, idleUntil: '2026-01-02T12:30:00.000Z' }, 'for the day, ends in 30 min unless used'],
  [{ impersonated: true, idleUntil: '2026-01-30T12:00:00.000Z', expiresAt: '2026-01-02T12:59:59.000Z' }, 'ends in 59 min'],
])('with %j it lasts: %s', (rest, want) => expect(lasting({ ...session, ...rest }, now)).toBe(want));
