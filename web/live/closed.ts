// What the end of a socket says about coming back.

const serviceRestart = 1012;

/** Codes after which the same would happen again: bad messages, no rights, an ended session, a faulty server. */
const final = [4004, 4005, 4400, 4401, 4403, 4406, 4409, 4429, 4500];

/** Whether the server, closing the socket with this event, will not have its caller back as they are. */
export function isFinal(event: unknown): boolean {
  return final.includes((event as { code?: unknown } | null)?.code as number);
}

/** When a server that restarts asks to be come back to, in ms: it spreads its users over some seconds. Null when it does not say. */
export function reconnectHint(event: unknown): number | null {
  const { code, reason } = (event ?? {}) as { code?: unknown; reason?: unknown };
  if (code !== serviceRestart || typeof reason !== 'string') return null;
  try {
    const { reconnectInMs } = JSON.parse(reason) as { reconnectInMs?: unknown };
    return typeof reconnectInMs === 'number' && reconnectInMs >= 0 ? Math.min(reconnectInMs, 30_000) : null;
  } catch {
    return null;
  }
}
