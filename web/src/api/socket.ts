// The one WebSocket of the page. Dashboard and explorer share it; the session's cookie authenticates it.
import { type Client, createClient } from 'graphql-ws';

/** The socket as the header shows it. */
export interface SocketState {
  /** `refused`: the server will not have this session, and trying again by itself would not help. */
  phase: 'connecting' | 'open' | 'lost' | 'refused';
  /** Time of the last ping to its pong; null before the first. */
  latencyMs: number | null;
}

export interface Socket {
  client: Client;
  state(): SocketState;
  subscribe(listener: () => void): () => void;
  dispose(): void;
}

const pingEveryMs = 12_000;
const pongWithinMs = 5_000;

/** Close codes of the server that the client's own list does not know. */
const serviceRestart = 1012;
const sessionEnded = 4403;

/** Opens the socket at once and keeps it open until disposed. onRefused is called when the server will not have it. */
export function createSocket(onRefused: () => void): Socket {
  const listeners = new Set<() => void>();
  let state: SocketState = { phase: 'connecting', latencyMs: null };
  let pingedAt = 0;
  let overdue: ReturnType<typeof setTimeout> | undefined;
  let hintMs: number | null = null;

  const set = (next: Partial<SocketState>) => {
    state = { ...state, ...next };
    for (const listener of listeners) listener();
  };

  const client = createClient({
    url: () => `${location.origin.replace(/^http/, 'ws')}/graphql`,
    lazy: false,
    keepAlive: pingEveryMs,
    connectionAckWaitTimeout: 10_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    // A handshake that failed is no CloseEvent, but the server may well be back in a moment.
    shouldRetry: (event) => (event as Partial<CloseEvent>).code !== sessionEnded,
    retryWait: (retries) => wait(hintMs ?? Math.min(500 * 2 ** retries, 15_000) * (0.5 + Math.random() / 2)),
    onNonLazyError() {
      set({ phase: 'refused' });
      onRefused();
    },
    on: {
      connecting: (isRetry) => set({ phase: isRetry ? 'lost' : 'connecting' }),
      connected() {
        hintMs = null;
        set({ phase: 'open' });
      },
      ping(received) {
        if (received) return;
        pingedAt = performance.now();
        // A half-open connection gives no event at all: without a pong it is given up.
        overdue = setTimeout(() => client.terminate(), pongWithinMs);
      },
      pong(received) {
        if (!received) return;
        clearTimeout(overdue);
        set({ latencyMs: Math.round(performance.now() - pingedAt) });
      },
      closed(event) {
        clearTimeout(overdue);
        hintMs = reconnectHint(event as CloseEvent);
        set({ phase: 'lost', latencyMs: null });
      },
    },
  });

  return {
    client,
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dispose() {
      clearTimeout(overdue);
      listeners.clear();
      void client.dispose();
    },
  };
}

/** Waits, but not past the moment the device is online again. */
function wait(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done);
  });
}

/** When a server that restarts asks this page to come back: it spreads its users over some seconds. */
export function reconnectHint({ code, reason }: Pick<CloseEvent, 'code' | 'reason'>): number | null {
  if (code !== serviceRestart) return null;
  try {
    const { reconnectInMs } = JSON.parse(reason) as { reconnectInMs?: unknown };
    return typeof reconnectInMs === 'number' && reconnectInMs >= 0 ? Math.min(reconnectInMs, 30_000) : null;
  } catch {
    return null;
  }
}
