import { expect, test } from 'vitest';

import { explorerStorage } from './storage';

/** As much of the browser's storage as is used. */
function memory(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
    clear: () => items.clear(),
    key: (i) => [...items.keys()][i] ?? null,
    get length() {
      return items.size;
    },
  };
}

test('users do not see what others wrote, and clear only their own', () => {
  const browser = memory();
  browser.setItem('mantine-color-scheme-value', 'dark');
  const ada = explorerStorage('user:ada', () => 'dark', browser);
  const bob = explorerStorage('user:bob', () => 'dark', browser);
  ada.setItem('graphiql:query', '{ me { user { id } } }');
  bob.setItem('graphiql:query', '{ plans { key } }');
  expect(ada.getItem('graphiql:query')).toBe('{ me { user { id } } }');
  expect([ada.length, bob.length]).toEqual([1, 1]);
  ada.clear();
  expect(ada.getItem('graphiql:query')).toBeNull();
  expect(bob.getItem('graphiql:query')).toBe('{ plans { key } }');
  bob.removeItem('graphiql:query');
  expect(browser.length).toBe(1);
});

test('the theme is that of the page, whatever was stored', () => {
  let theme = 'light';
  const storage = explorerStorage('user:ada', () => theme, memory());
  storage.setItem('graphiql:theme', 'light');
  theme = 'dark';
  expect(storage.getItem('graphiql:theme')).toBe('dark');
});
