// Sensitive fields want a recent proof of who is asking, and refuse with REAUTH_REQUIRED until there is one.
import type { CombinedError } from '@urql/core';
import { createContext } from 'react';

import { problemOf } from './problem';

/** Asks the person at the screen to show who they are; false when they would rather not. */
export type Confirm = () => Promise<boolean>;

/** How the page asks for it; null where nobody is signed in, and nothing wants it. */
export const ConfirmContext = createContext<Confirm | null>(null);

/**
 * Runs an operation; when it wants a fresh proof, asks for one and runs it once more. Null when the person declined. It asks
 * once only: an operation that still refuses has another reason, which is then the answer.
 */
export async function withReauth<T extends { error?: CombinedError | undefined }>(
  run: () => Promise<T>,
  confirm: Confirm,
): Promise<T | null> {
  const first = await run();
  if (!first.error || problemOf(first.error).code !== 'REAUTH_REQUIRED') return first;
  return (await confirm()) ? run() : null;
}
