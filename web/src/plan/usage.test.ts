import { expect, test } from 'vitest';

import type { Entitlement } from './fragments';
import { withUsage } from './usage';

const of = (feature: string, used: number) => ({ feature, used }) as Entitlement;

test('the newest numbers of what is counted, in the order of what may be used', () => {
  const all = [of('a', 1), of('b', 2)];
  expect(withUsage(all, null)).toEqual(all);
  expect(withUsage(all, [of('b', 3), of('gone', 1)])).toEqual([of('a', 1), of('b', 3)]);
});
