// Keeps one `live` operation going and its channels folded, whatever the socket does.
import type { Client, FormattedExecutionResult } from 'graphql-ws';

import { isFinal, reconnectHint } from './closed';
import { type Channel, fold, waiting } from './fold';
import type { Asked, Message, Named } from './message';

/** What is needed of a client of graphql-ws. Its own retries may be on or off. */
export type LiveClient = Pick<Client, 'subscribe' | 'on'>;

/** What is shown of the channels. Replaced as a whole by each change. */
export interface LiveState<S extends Named = Named> {
  /** By key. */
  channels: Readonly<Record<string, Channel<S>>>;
  /** Why there is no stream and none will come by itself: the errors of the server, or how it closed the socket; else null. */
  failure: unknown;
}

/** Follows channels from the first listener to the last. Made for useSyncExternalStore. */
export interface Follower<S extends Named = Named, C extends Asked = Asked> {
  state(): LiveState<S>;
  subscribe(listener: () => void): () => void;
  /** Follows these too, within the running operation. One of a key that is known already is followed in its place, from the beginning. */
  add(channels: readonly C[]): void;
  /** Follows those of the keys no longer. */
  remove(keys: readonly string[]): void;
  /** Asks anew after a failure. */
  retry(): void;
}

/** How a follower waits and tells. Tests give their own. */
export interface Pace {
  /** Runs tell once for the many messages that come together. */
  soon(tell: () => void): void;
  /** Runs again after the attempt (from 0), or after as many ms as the server asks for, unless the answer is called before. */
  later(attempt: number, hintMs: number | null, again: () => void): () => void;
}

/** Tells once for each frame of a browser, and waits up to 15 s, half of it by chance: not all callers must come back in one instant. */
export const usualPace: Pace = {
  soon(tell) {
    if (typeof requestAnimationFrame === 'function') requestAnimationFrame(tell);
    else setTimeout(tell);
  },
  later(attempt, hintMs, again) {
    const timer = setTimeout(again, hintMs ?? Math.min(500 * 2 ** attempt, 15_000) * (0.5 + Math.random() / 2));
    return () => clearTimeout(timer);
  },
};

const subscribeDocument = 'mutation LiveSubscribe($input: LiveSubscribeInput!) { liveSubscribe(input: $input) { channels } }';
const unsubscribeDocument = 'mutation LiveUnsubscribe($input: LiveUnsubscribeInput!) { liveUnsubscribe(input: $input) { channels } }';

type Result = FormattedExecutionResult<{ live: Message }, unknown>;

/** What a follower is doing. */
interface Doing {
  /** Ends it; nothing is heard of it any more. */
  stop(): void;
  /** What to do when the set of channels is another. */
  changed(): void;
  /** What to do when the socket closes, or opens. */
  closed(event: unknown): void;
  connected(): void;
}

const idle = () => {};
const nothing: Doing = { stop: idle, changed: idle, closed: idle, connected: idle };

/**
 * Makes a follower of the channels over the client. The query is a subscription of the variables `channels` and `id` that asks for
 * `live(channels: $channels, id: $id)`, with all fields of a [Message].
 */
export function follow<S extends Named, C extends Asked = Asked>(
  client: LiveClient,
  query: string,
  channels: readonly C[],
  pace: Pace = usualPace,
): Follower<S, C> {
  const listeners = new Set<() => void>();
  const wanted = new Map(channels.map((c) => [c.key, c]));
  let state: LiveState<S> = {
    channels: Object.fromEntries(channels.map((c) => [c.key, waiting])),
    failure: null,
  };
  let told = true;
  let attempts = 0;
  let doing = nothing;
  let unlisten = idle;

  const set = (next: Partial<LiveState<S>>) => {
    state = { ...state, ...next };
    if (!told) return;
    told = false;
    pace.soon(() => {
      told = true;
      for (const listener of listeners) listener();
    });
  };

  const put = (key: string, channel: Channel<S>) => set({ channels: { ...state.channels, [key]: channel } });

  /** Ends what is being done for something else. Nobody knows from then on whether what is shown is still so. */
  const turn = (next: Doing) => {
    doing.stop();
    doing = next;
    const resting = Object.entries(state.channels).filter(([, c]) => c.phase === 'live');
    if (resting.length === 0) return;
    const waits = Object.fromEntries(resting.map(([key, c]) => [key, { ...c, phase: 'waiting' as const }]));
    set({ channels: { ...state.channels, ...waits } });
  };

  /** The channel as it is asked for: from where it was left, if it was. */
  const from = (channel: C): C => {
    const after = state.channels[channel.key]?.cursor;
    return after ? { ...channel, after } : channel;
  };

  const start = () => {
    turn(nothing);
    // Of nothing there is nothing to follow, and the server would refuse it.
    turn(wanted.size > 0 ? operation() : { ...nothing, changed: start });
  };

  const again = (hintMs: number | null) => {
    turn({
      stop: pace.later(attempts++, hintMs, start),
      changed: idle,
      closed: (event) => isFinal(event) && fail(event),
      // The client came back by itself: there is nothing to wait for.
      connected: start,
    });
  };

  /** Once for all that is added and removed in one go. */
  const rewanted = () => queueMicrotask(() => doing.changed());

  const fail = (failure: unknown) => {
    turn({ ...nothing, changed: retry });
    set({ failure });
  };

  const retry = () => {
    attempts = 0;
    set({ failure: null });
    start();
  };

  /** An end that the socket brought. The client would ask again with the cursors of the beginning: that is done here. */
  const ended = (event: unknown) => (isFinal(event) ? fail(event) : again(reconnectHint(event)));

  const operation = (): Doing => {
    let ours = true;
    let begun = false;
    let dropChange: (() => void) | null = null;
    // Each operation has a name of its own: that of before may not have ended yet on the server.
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    // What was asked of this operation. Null: not any more, though messages may still be on their way.
    const asked = new Map<string, C | null>(wanted);

    const failed = (error: unknown) => (Array.isArray(error) ? fail(error) : ended(error));

    const take = ({ data, errors }: Result) => {
      if (errors?.length || !data) return fail(errors ?? new Error('an empty message'));
      begun = true;
      hear(data.live);
      if (ours) changed();
    };

    const hear = (message: Message) => {
      const before = state.channels[message.channel];
      const channel = wanted.get(message.channel);
      if (!before || !channel || asked.get(message.channel) !== channel) return;
      const { channel: after, lost } = fold(before, message);
      put(message.channel, after);
      if (lost) again(null);
      else if (before.phase === 'live' && message.kind !== 'RESYNC') attempts = 0;
    };

    /** Brings what the operation follows nearer to what is wanted, one step at a time. */
    const changed = () => {
      const other = [...wanted].some(([key, c]) => asked.has(key) && asked.get(key) !== c);
      if (other || wanted.size === 0) return start();
      if (!begun || dropChange) return;
      const gone = [...asked].flatMap(([key, c]) => (c && !wanted.has(key) ? [key] : []));
      const come = [...wanted.values()].filter((c) => !asked.has(c.key));
      if (gone.length > 0) {
        for (const key of gone) asked.set(key, null);
        change(unsubscribeDocument, gone);
      } else if (come.length > 0) {
        for (const c of come) asked.set(c.key, c);
        change(subscribeDocument, come.map(from));
      }
    };

    const change = (document: string, channels: unknown[]) => {
      let done = false;
      // Whatever is wrong with it, an operation that begins with all channels says so.
      const refused = () => ours && start();
      dropChange = client.subscribe(
        { query: document, variables: { input: { id, channels } } },
        {
          next: (result) => (result.errors?.length ? refused() : (done = true)),
          error: refused,
          complete() {
            if (!done) return void refused();
            dropChange = null;
            if (ours) changed();
          },
        },
      );
    };

    const drop = client.subscribe<{ live: Message }>(
      { query, variables: { channels: [...wanted.values()].map(from), id } },
      {
        next: (result) => ours && take(result),
        error: (error) => ours && failed(error),
        // A stream has no end of its own: the server drained, or the session's socket moved.
        complete: () => ours && again(null),
      },
    );
    return {
      stop() {
        ours = false;
        drop();
        dropChange?.();
      },
      changed,
      closed: ended,
      connected: idle,
    };
  };

  const watch = () => {
    const offs = [client.on('closed', (event) => doing.closed(event)), client.on('connected', () => doing.connected())];
    return () => offs.forEach((off) => off());
  };

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      if (listeners.size === 1) {
        unlisten = watch();
        start();
      }
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        unlisten();
        turn(nothing);
      };
    },
    add(news) {
      if (news.length === 0) return;
      for (const c of news) {
        wanted.set(c.key, c);
        put(c.key, waiting);
      }
      rewanted();
    },
    remove(keys) {
      if (keys.length === 0) return;
      for (const key of keys) wanted.delete(key);
      set({ channels: Object.fromEntries(Object.entries(state.channels).filter(([key]) => wanted.has(key))) });
      rewanted();
    },
    retry,
  };
}
