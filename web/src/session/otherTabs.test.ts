import { expect, test, vi } from 'vitest';

import { joinTabs } from './otherTabs';

test('what one tab tells every other hears, until it stops listening', async () => {
  const tabs = [joinTabs(), joinTabs(), joinTabs()] as const;
  const heard = tabs.map(() => vi.fn());
  const stop = tabs.map((tab, i) => tab.hear(() => heard[i]?.()));
  const counts = () => heard.map((h) => h.mock.calls.length);

  tabs[0].tell();
  await vi.waitFor(() => expect(counts()).toEqual([0, 1, 1]));

  stop[1]?.();
  tabs[0].tell();
  await vi.waitFor(() => expect(counts()).toEqual([0, 1, 2]));
  tabs.forEach((tab) => tab.close());
});
