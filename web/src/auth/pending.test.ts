import { expect, test } from 'vitest';

import { forget, pending, remember } from './pending';

const now = Date.parse('2026-01-02T12:00:00.000Z');
const waiting = { flow: 'bbf_x', email: 'ada@example.com', expiresAt: '2026-01-02T12:30:00.000Z' };

function box(text?: string) {
  const kept = new Map(text === undefined ? [] : [['bb:pending', text]]);
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

test('a registration is remembered until it is forgotten', () => {
  const storage = box();
  expect(pending(now, storage)).toBeNull();
  remember(waiting, storage);
  expect(pending(now, storage)).toEqual(waiting);
  forget(storage);
  expect(pending(now, storage)).toBeNull();
});

test('one that has lapsed is removed', () => {
  const storage = box(JSON.stringify(waiting));
  expect(pending(Date.parse(waiting.expiresAt), storage)).toBeNull();
  expect(storage.kept.size).toBe(0);
});

test.each(['', 'null', '7', '{"flow":1}', '{"flow":"f","email":"e"}', '{"flow":"f","email":"e","expiresAt":"never"}', '{'])(
  'what is stored as %j is none',
  (text) => expect(pending(now, box(text))).toBeNull(),
);

test('a browser without storage is no failure', () => {
  const refuse = () => {
    throw new DOMException('no', 'SecurityError');
  };
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  remember(waiting, storage);
  expect(pending(now, storage)).toBeNull();
});
