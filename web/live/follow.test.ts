import type { Sink } from 'graphql-ws';
import { beforeEach, expect, test, vi } from 'vitest';

import { follow, type Follower, type LiveClient, type Pace } from './follow';
import type { DocumentList, LiveError, Message } from './message';

interface Channel {
  key: string;
  documents: string;
  after?: string;
}

interface Operation {
  query: string;
  variables: { channels: Channel[]; id: string };
  sink: Sink<unknown>;
  dropped: boolean;
}

interface Mutation {
  query: string;
  input: { channels: unknown[]; id: string };
  sink: Sink<unknown>;
  dropped: boolean;
}

// A client without a socket: it keeps what was asked of it, and the test plays the server.
let operations: Operation[];
let mutations: Mutation[];
let delays: { attempt: number; hintMs: number | null; again: () => void; cancelled: boolean }[];
let tells: (() => void)[];
let heard: Record<string, Set<(event?: unknown) => void>>;

const client = {
  subscribe({ query, variables }: Operation & { variables: Mutation }, sink: Sink<unknown>) {
    const asked = { query, variables, sink, dropped: false };
    if (query.startsWith('mutation')) mutations.push(Object.assign(asked, { input: variables.input }));
    else operations.push(asked);
    return () => {
      asked.dropped = true;
    };
  },
  on(event: string, listener: () => void) {
    heard[event]?.add(listener);
    return () => heard[event]?.delete(listener);
  },
} as unknown as LiveClient;

const pace: Pace = {
  soon: (tell) => void tells.push(tell),
  later(attempt, hintMs, again) {
    const delay = { attempt, hintMs, again, cancelled: false };
    delays.push(delay);
    return () => {
      delay.cancelled = true;
    };
  },
};

const channels: Channel[] = [
  { key: 'a', documents: 'note' },
  { key: 'b', documents: 'movie' },
];
const another: Channel = { key: 'c', documents: 'song' };

const list = { __typename: 'DocumentList', documents: [] };
const nothing = { __typename: 'DocumentListDelta', changes: [] };

function message(channel: string, kind: Message['kind'], seq: number, data: Message['data'] = null, error: LiveError | null = null): Message {
  return { channel, kind, seq, firstSeq: seq, cursor: kind === 'NOTICE' ? null : `${channel}${seq}`, at: '2026-01-02T03:04:05.000Z', data, error };
}

const current = () => operations.at(-1)!;
const send = (live: Message) => current().sink.next({ data: { live } });
const tell = () => tells.splice(0).forEach((t) => t());
const emit = (event: 'closed' | 'connected', what?: unknown) => heard[event]?.forEach((listener) => listener(what));
const asked = () => current().variables.channels.map(({ key, after }) => [key, after ?? null]);
const phases = () => Object.fromEntries(Object.entries(follower.state().channels).map(([key, { phase }]) => [key, phase]));
/** Lets what was added and removed in one go come to be. */
const turn = () => Promise.resolve();

function begin() {
  send(message('a', 'SNAPSHOT', 1, list));
  send(message('b', 'SNAPSHOT', 5, list));
}

function grant() {
  const { sink } = mutations.at(-1)!;
  sink.next({ data: {} });
  sink.complete();
}

let follower: Follower<DocumentList, Channel>;
let listener: ReturnType<typeof vi.fn<() => void>>;
let leave: () => void;

beforeEach(() => {
  operations = [];
  mutations = [];
  delays = [];
  tells = [];
  heard = { closed: new Set(), connected: new Set() };
  follower = follow(client, 'subscription', channels, pace);
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
  expect(follower.state()).toMatchObject({ failure: null, channels: { a: { phase: 'waiting' } } });
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

test('an operation that is refused is a failure, until it is retried', () => {
  current().sink.error([{ message: 'no', extensions: { code: 'UNAUTHENTICATED' } }] as never);
  expect(follower.state().failure).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  expect(delays).toHaveLength(0);
  follower.retry();
  expect(follower.state().failure).toBeNull();
  expect(operations).toHaveLength(2);
});

test('an error within a message is a failure too', () => {
  current().sink.next({ errors: [{ message: 'bad', extensions: { code: 'BAD_CHANNELS' } }] } as never);
  expect(follower.state().failure).toMatchObject([{ extensions: { code: 'BAD_CHANNELS' } }]);
  expect(current().dropped).toBe(true);
});

test('a message of a channel nobody asked for is ignored', () => {
  send(message('other', 'DELTA', 4, nothing));
  expect(follower.state().channels).not.toHaveProperty('other');
  expect(delays).toHaveLength(0);
});

test('each operation has a name of its own', () => {
  current().sink.complete();
  delays[0]?.again();
  expect(operations[0]?.variables.id).toMatch(/^[\w.-]{1,64}$/);
  expect(operations[1]?.variables.id).not.toBe(operations[0]?.variables.id);
});

test('what is shown stays while the socket is away, and goes on from there', () => {
  begin();
  send(message('a', 'DELTA', 2, nothing));
  emit('closed', { code: 1006, reason: '' });
  expect(current().dropped).toBe(true);
  expect(phases()).toEqual({ a: 'waiting', b: 'waiting' });
  expect(follower.state().channels['a']?.data).toEqual(list);
  delays[0]?.again();
  expect(asked()).toEqual([
    ['a', 'a2'],
    ['b', 'b5'],
  ]);
  send(message('a', 'RESUMED', 2));
  send(message('a', 'DELTA', 3, nothing));
  send(message('b', 'RESYNC', 90, list));
  send(message('b', 'DELTA', 91, nothing));
  expect(phases()).toEqual({ a: 'live', b: 'live' });
  expect(delays).toHaveLength(1);
});

test('a client that comes back by itself is asked at once', () => {
  begin();
  emit('closed', { code: 1006, reason: '' });
  emit('closed', { code: 1006, reason: '' }); // one more try of its own
  expect(delays).toHaveLength(1);
  emit('connected');
  expect(operations).toHaveLength(2);
  expect(delays[0]?.cancelled).toBe(true);
});

test('a socket that opens says nothing to an operation that waits for it', () => {
  emit('connected');
  expect(operations).toHaveLength(1);
});

test('a server that restarts says when to come back', () => {
  emit('closed', { code: 1012, reason: '{"reconnectInMs":1234}' });
  expect(delays[0]?.hintMs).toBe(1234);
});

test('a socket that is closed for good is a failure', () => {
  emit('closed', { code: 4403, reason: 'Session ended' });
  expect(follower.state().failure).toMatchObject({ code: 4403 });
  expect(delays).toHaveLength(0);
});

test('an operation that lost its socket begins anew', () => {
  current().sink.error({ code: 1012, reason: '{"reconnectInMs":7}' } as never);
  current().sink.error(new Error('late'));
  expect(delays.map((d) => d.hintMs)).toEqual([7]);
});

test('a gap goes on from what was folded, the others too', () => {
  begin();
  send(message('a', 'DELTA', 3, nothing));
  expect(phases()).toEqual({ a: 'waiting', b: 'waiting' });
  delays[0]?.again();
  expect(asked()).toEqual([
    ['a', 'a1'],
    ['b', 'b5'],
  ]);
});

test('a change that makes no sense asks for the whole state', () => {
  begin();
  send(message('a', 'DELTA', 2, list));
  delays[0]?.again();
  expect(asked()).toEqual([
    ['a', null],
    ['b', 'b5'],
  ]);
});

test('a message that comes twice, and one that several were folded into, are no gap', () => {
  begin();
  send(message('a', 'DELTA', 2, nothing));
  send(message('a', 'DELTA', 2, nothing));
  send({ ...message('a', 'DELTA', 9, nothing), firstSeq: 3 });
  expect(follower.state().channels['a']).toMatchObject({ phase: 'live', seq: 9, cursor: 'a9' });
  expect(delays).toHaveLength(0);
});

test('a notice ends its channel alone, until the stream begins anew', () => {
  begin();
  send(message('a', 'NOTICE', 2, null, { code: 'CHANNEL_ENDED', message: '' }));
  expect(phases()).toEqual({ a: 'ended', b: 'live' });
  expect(operations).toHaveLength(1);
  emit('closed', { code: 1006, reason: '' });
  expect(phases()).toEqual({ a: 'ended', b: 'waiting' });
  delays[0]?.again();
  send(message('a', 'SNAPSHOT', 1, list));
  expect(follower.state().channels['a']).toMatchObject({ phase: 'live', error: null });
});

test('who comes back goes on from where they left', () => {
  begin();
  leave();
  expect(phases()).toEqual({ a: 'waiting', b: 'waiting' });
  expect(heard['closed']?.size).toBe(0);
  leave = follower.subscribe(listener);
  expect(asked()).toEqual([
    ['a', 'a1'],
    ['b', 'b5'],
  ]);
});

test('channels come and go within the operation, one change at a time', async () => {
  begin();
  follower.add([another]);
  follower.remove(['a']);
  expect(phases()).toEqual({ b: 'live', c: 'waiting' });
  await turn();
  expect(mutations.map((m) => m.query.split(' ')[1])).toEqual(['LiveUnsubscribe($input:']);
  expect(mutations[0]?.input).toEqual({ id: current().variables.id, channels: ['a'] });
  send(message('a', 'DELTA', 2, nothing)); // was on its way
  expect(mutations).toHaveLength(1);
  grant();
  expect(mutations[1]?.input).toEqual({ id: current().variables.id, channels: [another] });
  grant();
  send(message('c', 'SNAPSHOT', 1, list));
  expect(phases()).toEqual({ b: 'live', c: 'live' });
  expect(mutations).toHaveLength(2);
  expect(operations).toHaveLength(1);
});

test('the set is changed when the operation has begun, not before', async () => {
  follower.add([another]);
  await turn();
  expect(mutations).toHaveLength(0);
  begin();
  expect(mutations[0]?.input.channels).toEqual([another]);
});

test.each<[string, (m: Mutation) => void]>([
  ['an error', ({ sink }) => sink.next({ errors: [{ message: 'no', extensions: { code: 'LIVE_UNKNOWN' } }] } as never)],
  ['a refusal', ({ sink }) => sink.error([{ message: 'no' }] as never)],
  ['no answer', ({ sink }) => sink.complete()],
])('a change that is met with %s is made by a new operation', async (_, answer) => {
  begin();
  follower.add([another]);
  await turn();
  answer(mutations[0]!);
  expect(operations).toHaveLength(2);
  expect(operations[0]?.dropped).toBe(true);
  expect(asked()).toEqual([
    ['a', 'a1'],
    ['b', 'b5'],
    ['c', null],
  ]);
  expect(delays).toHaveLength(0);
});

test('a change is given up with its socket, and made by the next operation', async () => {
  begin();
  follower.add([another]);
  await turn();
  emit('closed', { code: 1006, reason: '' });
  expect(mutations[0]?.dropped).toBe(true);
  mutations[0]?.sink.complete();
  delays[0]?.again();
  expect(operations).toHaveLength(2);
  expect(asked().map(([key]) => key)).toEqual(['a', 'b', 'c']);
});

test('another channel of the same key, or one that comes back, is not mixed up with what is on its way', async () => {
  begin();
  follower.add([{ key: 'a', documents: 'song' }]);
  send(message('a', 'DELTA', 2, nothing));
  expect(follower.state().channels['a']).toMatchObject({ phase: 'waiting', data: null });
  await turn();
  expect(asked()).toEqual([
    ['a', null],
    ['b', 'b5'],
  ]);
  send(message('a', 'SNAPSHOT', 1, list));
  follower.remove(['b']);
  await turn();
  grant();
  follower.add([channels[1]!]);
  await turn();
  expect(operations).toHaveLength(3);
  expect(asked()).toEqual([
    ['a', 'a1'],
    ['b', null],
  ]);
});

test('of no channels there is no operation', async () => {
  begin();
  follower.remove(['a', 'b']);
  await turn();
  expect(current().dropped).toBe(true);
  follower.add([another]);
  await turn();
  expect(operations).toHaveLength(2);
  expect(asked()).toEqual([['c', null]]);
});

test('other channels are another question after a failure', async () => {
  current().sink.error([{ message: 'no', extensions: { code: 'BAD_CHANNELS' } }] as never);
  follower.remove(['b']);
  await turn();
  expect(follower.state().failure).toBeNull();
  expect(asked()).toEqual([['a', null]]);
});
