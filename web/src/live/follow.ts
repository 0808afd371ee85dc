// Keeps one `live` operation going and its channels folded, whatever the socket does.
import { stringifyDocument } from '@urql/core';
import type { Client, FormattedExecutionResult } from 'graphql-ws';

import { type Problem, problemOf } from '../api/problem';
import { type Channel, fold, waiting } from './fold';
import { type ChannelInput, LIVE, type LiveMessage } from './message';

/** What a page shows of its channels. Replaced as a whole by each change. */
export interface LiveState {
  channels: Readonly<Record<string, Channel>>;
  /** Why there is no stream; null while there is one, or one is on its way. */
  problem: Problem | null;
}

/** Follows channels from the first listener to the last. Made for useSyncExternalStore. */
export interface Follower {
  state(): LiveState;
  subscribe(listener: () => void): () => void;
  /** Asks anew after a problem. */
  retry(): void;
}

/** How a follower waits and tells. Tests give their own. */
export interface Pace {
  /** Runs tell once for the many messages that come together. */
  soon(tell: () => void): void;
  /** Runs again after attempt (from 0) unless the answer is called before. */
  later(attempt: number, again: () => void): () => void;
}

const browserPace: Pace = {
  soon: (tell) => void requestAnimationFrame(tell),
  later(attempt, again) {
    // Half of the wait is chance: the pages of all users must not come back in one instant.
    const ms = Math.min(500 * 2 ** attempt, 15_000) * (0.5 + Math.random() / 2);
    const timer = setTimeout(again, ms);
    return () => clearTimeout(timer);
  },
};

type Result = FormattedExecutionResult<{ live: LiveMessage }, unknown>;

const idle = () => {};

/** Makes a follower of the channels over the client, which reconnects by itself and then subscribes again. */
export function follow(client: Pick<Client, 'subscribe'>, channels: ChannelInput[], pace = browserPace): Follower {
  const query = stringifyDocument(LIVE);
  const listeners = new Set<() => void>();
  let state: LiveState = {
    channels: Object.fromEntries(channels.map((c) => [c.key, waiting])),
    problem: null,
  };
  let told = true;
  let attempts = 0;
  let stop = idle;

  const set = (next: Partial<LiveState>) => {
    state = { ...state, ...next };
    if (!told) return;
    told = false;
    pace.soon(() => {
      told = true;
      for (const listener of listeners) listener();
    });
  };

  const start = () => {
    // Of nothing there is nothing to follow, and the server would refuse it.
    if (channels.length === 0) return;
    let ours = true;
    const drop = client.subscribe<{ live: LiveMessage }>(
      { query, variables: { channels }, operationName: 'Live' },
      {
        next: (result) => ours && take(result),
        error: (error) => ours && fail(problemOf(error)),
        // A stream has no end of its own: the server drained, or the session's socket moved.
        complete: () => ours && again(),
      },
    );
    stop = () => {
      ours = false;
      drop();
    };
  };

  const again = () => {
    stop();
    stop = pace.later(attempts++, start);
  };

  const fail = (problem: Problem) => {
    stop();
    set({ problem });
  };

  const take = ({ data, errors }: Result) => {
    if (errors?.length || !data) return fail(problemOf(errors ?? new Error('an empty message')));
    const message = data.live;
    const before = state.channels[message.channel];
    if (!before) return;
    const { channel, lost } = fold(before, message);
    set({ channels: { ...state.channels, [message.channel]: channel }, problem: null });
    if (lost) again();
    else if (message.kind === 'DELTA') attempts = 0;
  };

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      if (listeners.size === 1) start();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) stop();
      };
    },
    retry() {
      stop();
      attempts = 0;
      set({ problem: null });
      start();
    },
  };
}
