// The registration this browser waits to have confirmed. The link of the mail opens in a tab of its own, which the storage
// of a session would not reach; without code or link of the mail the secret is good for nothing.

const key = 'bb:pending';

export interface Pending {
  flow: string;
  email: string;
  expiresAt: string;
}

type Box = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Remembers the registration, instead of one before. Without storage there is still the code. */
export function remember({ flow, email, expiresAt }: Pending, box: Box = localStorage): void {
  attempt(() => box.setItem(key, JSON.stringify({ flow, email, expiresAt })));
}

/** Forgets it. */
export function forget(box: Box = localStorage): void {
  attempt(() => box.removeItem(key));
}

/** The registration that waits; null when there is none, or it has lapsed. */
export function pending(nowMs: number, box: Box = localStorage): Pending | null {
  const found = attempt(() => read(JSON.parse(box.getItem(key) ?? 'null')));
  if (found && Date.parse(found.expiresAt) > nowMs) return found;
  forget(box);
  return null;
}

function read(value: unknown): Pending | null {
  if (typeof value !== 'object' || value === null) return null;
  const { flow, email, expiresAt } = value as Partial<Record<keyof Pending, unknown>>;
  const complete = typeof flow === 'string' && typeof email === 'string' && typeof expiresAt === 'string';
  return complete ? { flow, email, expiresAt } : null;
}

function attempt<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}
