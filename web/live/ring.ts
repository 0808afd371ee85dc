// For the tests alone: a server that speaks graphql-transport-ws, keeps a ring of what was told, and fails in every way a real one may.
import { type WebSocket, WebSocketServer } from 'ws';

import { fold, waiting } from './fold';
import type { Asked, Message, Named } from './message';

/** Numbers from 0 to below 1, the same ones for the same seed (mulberry32). */
export function chance(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a channel is about, and all that ever happened to it: the database, which outlives every server. */
export class Subject {
  /** The state after each change; the first is that before any. */
  readonly states: Named[];
  /** The change that led to the state of the same place. */
  readonly deltas: (Named | null)[] = [null];

  constructor(
    first: Named,
    readonly next: (state: never, n: number) => Named,
    readonly merge: (older: never, newer: never) => Named,
  ) {
    this.states = [first];
  }

  get at(): number {
    return this.states.length - 1;
  }

  change(): void {
    const state = this.states[this.at]!;
    const delta = this.next(state as never, this.at + 1);
    // How a delta changes a state is told by the tests of folding: here it matters which deltas arrive.
    const live = { ...waiting, phase: 'live' as const, data: state };
    const { channel, lost } = fold<Named>(live, { ...blank, kind: 'DELTA', seq: 1, firstSeq: 1, data: delta });
    if (lost) throw new Error('the test makes a change that cannot be folded');
    this.states.push(channel.data!);
    this.deltas.push(delta);
  }

  /** The changes after one place up to another as one. */
  between(after: number, to: number): Named {
    return this.deltas.slice(after + 1, to + 1).reduce((older, newer) => this.merge(older as never, newer as never))!;
  }
}

const blank: Message = { channel: '', kind: 'DELTA', seq: 0, firstSeq: 0, cursor: null, at: '2026-01-02T03:04:05.000Z', data: null, error: null };

/** Place of the state that a cursor stands for. */
export function placeOf(cursor: string): number {
  return Number(cursor.split(':')[1]);
}

interface Stream {
  socket: WebSocket;
  operation: string;
  id: string;
  /** Up to which place each channel was told. */
  told: Map<string, number>;
}

interface Request {
  id: string;
  type: string;
  payload: { query: string; variables: { id: string; channels: (Asked & { after?: string })[]; input: { id: string; channels: unknown[] } } };
}

/** How many changes are kept for those who come back. */
const ringLength = 12;

/** A node over the subjects. It listens on the port it had before, once it had one. */
export class Ring {
  readonly counts = { RESUMED: 0, SNAPSHOT: 0, RESYNC: 0, DELTA: 0, NOTICE: 0, merged: 0, doubled: 0, dropped: 0, mutations: 0 };
  /** Whether deltas are dropped, doubled and held back. */
  faulty = true;
  port = 0;
  private server: WebSocketServer | null = null;
  private sockets = new Set<WebSocket>();
  private streams = new Set<Stream>();
  /** Each node counts from elsewhere, and remembers what was since it began, or since another did that left it its ring. */
  private offset = 0;
  private begins: Record<string, number> = {};
  private fuse: { left: number; cut: () => void } | null = null;

  constructor(
    private readonly subjects: Record<string, Subject>,
    private readonly random: () => number,
  ) {}

  async listen(): Promise<void> {
    this.offset = Math.floor(this.random() * 1000);
    const server = new WebSocketServer({ host: '127.0.0.1', port: this.port, handleProtocols: () => 'graphql-transport-ws' });
    await new Promise<void>((resolve, reject) => server.on('error', reject).on('listening', resolve));
    this.server = server.on('connection', (socket) => this.accept(socket));
    this.port = server.address().port;
  }

  /** Ends the node as a kill does: no socket is closed properly. With what it remembers, or without. */
  async kill(forgets: boolean): Promise<void> {
    const { server } = this;
    this.server = null;
    this.cut();
    if (forgets) this.begins = Object.fromEntries(Object.entries(this.subjects).map(([key, { at }]) => [key, at + 1]));
    await new Promise<void>((resolve) => (server ? server.close(resolve) : resolve()));
  }

  /** Cuts all sockets. */
  cut(): void {
    for (const socket of this.sockets) socket.terminate();
    this.forget();
  }

  /** Closes all sockets and asks to be come back to. */
  drain(reconnectInMs: number): void {
    for (const socket of this.sockets) socket.close(1012, JSON.stringify({ reconnectInMs }));
    this.forget();
  }

  /** Calls cut once so many more messages were sent. */
  after(messages: number, cut: () => void): void {
    this.fuse = { left: messages, cut };
  }

  /** Whether anybody follows. */
  get followed(): boolean {
    return this.streams.size > 0;
  }

  change(key: string): void {
    this.subjects[key]!.change();
    for (const stream of [...this.streams]) this.tell(stream, key);
  }

  private forget(): void {
    this.sockets.clear();
    this.streams.clear();
  }

  private accept(socket: WebSocket): void {
    if (!this.server) return socket.terminate();
    this.sockets.add(socket);
    socket.on('message', (text) => this.sockets.has(socket) && this.hear(socket, JSON.parse(text.toString()) as Request));
    socket.on('close', () => {
      this.sockets.delete(socket);
      for (const stream of this.streams) if (stream.socket === socket) this.streams.delete(stream);
    });
  }

  private hear(socket: WebSocket, { type, id, payload }: Request): void {
    if (type === 'connection_init') socket.send(JSON.stringify({ type: 'connection_ack' }));
    if (type === 'complete') for (const s of this.streams) if (s.socket === socket && s.operation === id) this.streams.delete(s);
    if (type !== 'subscribe') return;
    if (payload.query.startsWith('mutation')) return this.mutate(socket, id, payload);
    const stream: Stream = { socket, operation: id, id: payload.variables.id, told: new Map() };
    this.streams.add(stream);
    for (const asked of payload.variables.channels) this.open(stream, asked);
  }

  private mutate(socket: WebSocket, id: string, { query, variables: { input } }: Request['payload']): void {
    this.counts.mutations++;
    const stream = [...this.streams].find((s) => s.id === input.id);
    const answer = (result: object) => socket.send(JSON.stringify({ id, type: 'next', payload: result }));
    if (!stream) {
      answer({ errors: [{ message: 'no such stream', extensions: { code: 'LIVE_UNKNOWN' } }] });
    } else if (query.includes('liveUnsubscribe')) {
      for (const key of input.channels as string[]) stream.told.delete(key);
      answer({ data: { liveUnsubscribe: { channels: [...stream.told.keys()] } } });
    } else {
      answer({ data: { liveSubscribe: { channels: [] } } });
      for (const asked of input.channels as Asked[]) this.open(stream, asked);
    }
    socket.send(JSON.stringify({ id, type: 'complete' }));
  }

  /** Begins with a channel: where it was, if that is known, or with all there is. */
  private open(stream: Stream, { key, after }: Asked & { after?: string }): void {
    const subject = this.subjects[key];
    if (!subject || stream.told.has(key)) throw new Error(`asked for ${key} once too often`);
    const place = after === undefined ? null : placeOf(after);
    if (place !== null && place >= Math.max(this.begins[key] ?? 0, subject.at - ringLength)) {
      stream.told.set(key, place);
      this.send(stream, key, { kind: 'RESUMED', seq: place + this.offset, firstSeq: place + this.offset, data: null }, place);
      if (place < subject.at) this.tellAll(stream, key);
      return;
    }
    stream.told.set(key, subject.at);
    const seq = subject.at + this.offset;
    this.send(stream, key, { kind: place === null ? 'SNAPSHOT' : 'RESYNC', seq, firstSeq: seq, data: subject.states[subject.at]! }, subject.at);
  }

  /** Tells a change, or does what a bad network and a busy server do to it. */
  private tell(stream: Stream, key: string): void {
    if (!stream.told.has(key)) return;
    const dice = this.faulty ? this.random() : 1;
    if (dice < 0.2) return; // held back, to be told with the next
    if (dice < 0.25) {
      this.counts.dropped++;
      stream.told.set(key, this.subjects[key]!.at);
      return;
    }
    this.tellAll(stream, key, dice < 0.35);
  }

  /** Tells what was not told as one message, perhaps twice. */
  private tellAll(stream: Stream, key: string, twice = false): void {
    const subject = this.subjects[key]!;
    const told = stream.told.get(key)!;
    stream.told.set(key, subject.at);
    if (subject.at > told + 1) this.counts.merged++;
    if (twice) this.counts.doubled++;
    const delta = { kind: 'DELTA' as const, seq: subject.at + this.offset, firstSeq: told + 1 + this.offset, data: subject.between(told, subject.at) };
    for (let times = twice ? 2 : 1; times > 0; times--) this.send(stream, key, delta, subject.at);
  }

  private send(stream: Stream, channel: string, message: Partial<Message> & Pick<Message, 'kind'>, place: number): void {
    if (!this.streams.has(stream)) return;
    this.counts[message.kind]++;
    const live = { ...blank, ...message, channel, cursor: `${channel}:${place}` };
    stream.socket.send(JSON.stringify({ id: stream.operation, type: 'next', payload: { data: { live } } }));
    if (!this.fuse || --this.fuse.left > 0) return;
    const { cut } = this.fuse;
    this.fuse = null;
    cut();
  }
}
