// Why a session is over, as far as the socket tells.

/** `time`: it lapsed; `elsewhere`: somebody ended it, its owner or an administrator; `unknown`: nobody said. */
export type Ended = 'time' | 'elsewhere' | 'unknown';

/** Close code of the server for a session that is over. */
export const sessionEnded = 4403;

/** Clocks differ, and a close takes its time. */
const toleranceMs = 5_000;

/** When the session ends, by a ping of the server that warns of it; null for a ping that only asks for a sign of life. */
export function warnedOf(payload: unknown): string | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const { code, expiresAt } = payload as { code?: unknown; expiresAt?: unknown };
  if (code !== 'SESSION_EXPIRING' || typeof expiresAt !== 'string' || Number.isNaN(Date.parse(expiresAt))) return null;
  return expiresAt;
}

/** Why the socket was closed for good. endsAt is the end that the server warned of, if it did. */
export function whyEnded(event: unknown, endsAt: string | null, nowMs: number): Ended {
  const { code, reason } = (event ?? {}) as { code?: unknown; reason?: unknown };
  if (code !== sessionEnded) return 'unknown';
  if (reason === 'Token expired' || (endsAt && nowMs >= Date.parse(endsAt) - toleranceMs)) return 'time';
  return reason === 'Session ended' ? 'elsewhere' : 'unknown';
}

/** Whether a warning is worth showing: an end that has passed under an open socket was put off meanwhile. */
export function stillWarns(endsAt: string, nowMs: number): boolean {
  return nowMs < Date.parse(endsAt) + toleranceMs;
}

/** Whether the end that comes near is that of a session nobody uses, and not that of its whole time: using it puts the end off. */
export function idles(endsAt: string, expiresAt: string | undefined): boolean {
  return expiresAt !== undefined && Date.parse(endsAt) < Date.parse(expiresAt) - 1_000;
}
