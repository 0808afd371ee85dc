import type { Storage as ExplorerStorage } from '@graphiql/toolkit';

/**
 * What the explorer remembers in this browser: queries and tabs, for each user apart. It does not remember the theme, which
 * is the page's: an editor made under a remembered one keeps its colours after the other is forced on it.
 */
export function explorerStorage(user: string, theme: () => string, browser: Storage = localStorage): ExplorerStorage {
  const prefix = `explorer ${user} `;
  const keys = () => Array.from({ length: browser.length }, (_, i) => browser.key(i) ?? '').filter((k) => k.startsWith(prefix));
  return {
    getItem: (key) => (key === 'graphiql:theme' ? theme() : browser.getItem(prefix + key)),
    setItem: (key, value) => browser.setItem(prefix + key, value),
    removeItem: (key) => browser.removeItem(prefix + key),
    clear() {
      for (const key of keys()) browser.removeItem(key);
    },
    get length() {
      return keys().length;
    },
  };
}
