import { expect, test } from 'vitest';

import { endedWords, type EndedSession } from './ended';

test.each<[EndedSession, string]>([
  [{ why: 'unknown', actedAs: null }, 'Your session has ended. Sign in to go on where you were.'],
  [{ why: 'time', actedAs: null }, 'Your session has ended: its time was over. Sign in to go on where you were.'],
  [
    { why: 'elsewhere', actedAs: null },
    'Your session has ended: it was signed out, by you elsewhere or by an administrator. Sign in to go on where you were.',
  ],
  [{ why: 'time', actedAs: 'Ada' }, 'You act as Ada no more: the time for it is over. Sign in as yourself to go on.'],
  [{ why: 'elsewhere', actedAs: 'Ada' }, 'You act as Ada no more. Sign in as yourself to go on.'],
])('%j is told as: %s', (ended, want) => expect(endedWords(ended)).toBe(want));
