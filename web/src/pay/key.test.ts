import { expect, test } from 'vitest';

import { paymentKey } from './key';

test.each([
  ['/pay/change:0a1b', 'change:0a1b'],
  ['/pay/change%3A0a1b', 'change:0a1b'],
  ['/pay/renew:user:1:2026', 'renew:user:1:2026'],
  ['/pay/100%', '100%'],
  ['/pay', '/pay'],
])('the key of %s is %s', (path, want) => expect(paymentKey(path)).toBe(want));
