// The one WebSocket of the page. Dashboard and explorer share it; the session's cookie authenticates it.
import { reconnectHint } from '@backendbook/live';
import { type Client, createClient } from 'graphql-ws';

import { type Ended, sessionEnded, warnedOf, whyEnded } from './ended';

/** The socket as the header shows it. */
export interface SocketState {
  /** `refused`: the server will not have this session, and trying again by itself would not help. */
  phase: 'connecting' | 'open' | 'lost' | 'refused';
  /** Time of the last ping to its pong; null before the first. */
  latencyMs: number | null;
  /** When the session ends unless something happens, once the server has warned of it; null before. */
  endsAt: string | null;
}

export interface Socket {
  client: Client;
  state(): SocketState;
  subscribe(listener: () => void): () => void;
  /** To be called when something has happened that puts the end off. */
  prolonged(): void;
  dispose(): void;
}

const pingEveryMs = 12_000;
const pongWithinMs = 5_000;

/** Opens the socket at once and keeps it open until disposed. onRefused is called when the server will not have it, and told why. */
export function createSocket(onRefused: (why: Ended) => void): Socket {
  const listeners = new Set<() => void>();
  let state: SocketState = { phase: 'connecting', latencyMs: null, endsAt: null };
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
    onNonLazyError(event) {
      const why = whyEnded(event, state.endsAt, Date.now());
      set({ phase: 'refused', endsAt: null });
      onRefused(why);
    },
    on: {
      connecting: (isRetry) => set({ phase: isRetry ? 'lost' : 'connecting' }),
      connected() {
        hintMs = null;
        // The server warns each connection anew.
        set({ phase: 'open', endsAt: null });
      },
      ping(received, payload) {
        if (received) {
          const endsAt = warnedOf(payload);
          if (endsAt) set({ endsAt });
          return;
        }
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
        hintMs = reconnectHint(event);
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
    prolonged: () => set({ endsAt: null }),
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
