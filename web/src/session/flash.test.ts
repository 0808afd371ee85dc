import { expect, test } from 'vitest';

import { noticeOf } from './flash';

const message = { level: 'success', code: 'account.restored', text: 'welcome back', at: '2026-01-02T12:00:00.000Z' };

test('a message is a sentence in the colour of its level', () => {
  expect(noticeOf(message, 0)).toMatchObject({ color: 'teal', text: 'Welcome back.', code: 'account.restored' });
});

test.each([
  ['success', true],
  ['info', true],
  ['warning', false],
  ['error', false],
  ['omen', false], // a newer server
])('of the level %s it goes by itself: %s', (level, goes) => {
  expect(noticeOf({ ...message, level }, 0).staysMs !== null).toBe(goes);
});

test.each(['omen', 'constructor', ''])('the level %j has a colour', (level) => expect(noticeOf({ ...message, level }, 0).color).toBe('gray'));

test('two of the same are told apart', () => expect(noticeOf(message, 0).key).not.toBe(noticeOf(message, 1).key));
