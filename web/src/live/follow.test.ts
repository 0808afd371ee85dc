import type { Client, Sink } from 'graphql-ws';
import { beforeEach, expect, test, vi } from 'vitest';

import { follow, type Follower, type Pace } from './follow';
import type { ChannelInput, LiveMessage } from './message';

interface Operation {
  sink: Sink<unknown>;
  dropped: boolean;
}

// A client without a socket: it keeps what was asked of it, and the test plays the server.
let operations: Operation[];
let delays: { attempt: number; again: () => void; cancelled: boolean }[];
let tells: (() => void)[];

const client = {
  subscribe(_: unknown, sink: Sink<unknown>) {
    const operation = { sink, dropped: false };
    operations.push(operation);
    return () => {
      operation.dropped = true;
    };
  },
} as unknown as Pick<Client, 'subscribe'>;

const pace: Pace = {
  soon: (tell) => void tells.push(tell),
  later(attempt, again) {
    const delay = { attempt, again, cancelled: false };
    delays.push(delay);
    return () => {
      delay.cancelled = true;
    };
  },
};

const channels: ChannelInput[] = [
  { key: 'a', documents: { type: 'note', first: 5 } },
  { key: 'b', documents: { type: 'movie', first: 5 } },
];

const list = { __typename: 'DocumentList' as const, documents: [] };
const nothing = { __typename: 'DocumentListDelta' as const, changes: [] };

function message(channel: string, kind: LiveMessage['kind'], seq: number, data: LiveMessage['data']): LiveMessage {
  return { channel, kind, seq, firstSeq: seq, at: '2026-01-02T03:04:05.000Z', data, error: null };
}

const current = () => operations.at(-1)!;
const send = (live: LiveMessage) => current().sink.next({ data: { live } });
const tell = () => tells.splice(0).forEach((t) => t());

let follower: Follower;
let listener: ReturnType<typeof vi.fn<() => void>>;
let leave: () => void;

beforeEach(() => {
  operations = [];
  delays = [];
  tells = [];
  follower = follow(client, channels, pace);
  listener = vi.fn<() => void>();
  leave = follower.subscribe(listener);
});

test('one operation serves all listeners, and ends with the last of them', () => {
  const leaveToo = follower.subscribe(() => {});
  expect(operations).toHaveLength(1);
  leave();
  expect(current().dropped).toBe(false);
  leaveToo();
  expect(current().dropped).toBe(true);
});

test('messages that come together are told once', () => {
  send(message('a', 'SNAPSHOT', 1, list));
  send(message('b', 'SNAPSHOT', 1, list));
  expect(listener).not.toHaveBeenCalled();
  tell();
  expect(listener).toHaveBeenCalledTimes(1);
  expect(follower.state().channels).toMatchObject({ a: { phase: 'live' }, b: { phase: 'live' } });
});

test('a state is replaced, never changed in place', () => {
  const before = follower.state();
  send(message('a', 'SNAPSHOT', 1, list));
  expect(follower.state()).not.toBe(before);
  expect(before.channels['a']?.phase).toBe('waiting');
});

test('a gap drops the operation and subscribes anew, waiting longer each time', () => {
  for (const attempt of [0, 1, 2]) {
    send(message('a', 'SNAPSHOT', 1, list));
    send(message('a', 'DELTA', 3, nothing));
    expect(operations.at(-1)?.dropped).toBe(true);
    expect(delays.at(-1)?.attempt).toBe(attempt);
    delays.at(-1)?.again();
    expect(operations).toHaveLength(attempt + 2);
  }
});

test('a delta that folds well makes the next wait short again', () => {
  send(message('a', 'DELTA', 1, nothing));
  delays[0]?.again();
  send(message('a', 'SNAPSHOT', 1, list));
  send(message('a', 'DELTA', 2, nothing));
  send(message('a', 'DELTA', 9, nothing));
  expect(delays.map((d) => d.attempt)).toEqual([0, 0]);
});

test('a RESYNC is no reason to subscribe anew', () => {
  send(message('a', 'SNAPSHOT', 1, list));
  send(message('a', 'RESYNC', 9, list));
  send(message('a', 'DELTA', 10, nothing));
  expect(operations).toHaveLength(1);
  expect(delays).toHaveLength(0);
});

test('what a dropped operation still says is not heard', () => {
  const old = current();
  send(message('a', 'DELTA', 1, nothing));
  delays[0]?.again();
  old.sink.next({ data: { live: message('a', 'SNAPSHOT', 1, list) } });
  old.sink.error(new Error('late'));
  old.sink.complete();
  expect(follower.state()).toMatchObject({ problem: null, channels: { a: { phase: 'waiting' } } });
  expect(delays).toHaveLength(1);
});

test('a stream that the server ends begins anew', () => {
  current().sink.complete();
  delays[0]?.again();
  expect(operations).toHaveLength(2);
});

test('leaving while it waits cancels the wait', () => {
  current().sink.complete();
  leave();
  expect(delays[0]?.cancelled).toBe(true);
});

test('an operation that is refused is a problem, until it is retried', () => {
  current().sink.error([{ message: 'no', extensions: { code: 'UNAUTHENTICATED' } }] as never);
  expect(follower.state().problem?.code).toBe('UNAUTHENTICATED');
  expect(delays).toHaveLength(0);
  follower.retry();
  expect(follower.state().problem).toBeNull();
  expect(operations).toHaveLength(2);
});

test('an error within a message is a problem too', () => {
  current().sink.next({ errors: [{ message: 'bad', extensions: { code: 'BAD_USER_INPUT' } }] } as never);
  expect(follower.state().problem?.code).toBe('BAD_USER_INPUT');
  expect(current().dropped).toBe(true);
});

test('a message of a channel nobody asked for is ignored', () => {
  send(message('other', 'DELTA', 4, nothing));
  expect(follower.state().channels).not.toHaveProperty('other');
  expect(delays).toHaveLength(0);
});
