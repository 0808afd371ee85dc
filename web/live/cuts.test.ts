import { type ClientOptions, createClient } from 'graphql-ws';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';

import { follow, type Pace } from './follow';
import type { Asked, DocumentList, DocumentListDelta, Named, Report, ReportDelta, TopicMessageList } from './message';
import { chance, placeOf, Ring, Subject } from './ring';

const cuts = 100;

type Told = TopicMessageList & { messages: { number: number }[] };

/** Subjects of each way of folding. */
function subjects(random: () => number): Record<string, Subject> {
  const pick = (n: number) => Math.floor(random() * n);
  const topic = () =>
    new Subject(
      { __typename: 'TopicMessageList', messages: [] } as Named,
      (_, number) => ({ __typename: 'TopicMessageList', messages: [{ number }] }) as Named,
      (a: Told, b: Told) => ({ ...b, messages: [...a.messages, ...b.messages] }),
    );
  const job = new Subject(
    { __typename: 'JobProgress', done: 0 } as Named,
    (_, done) => ({ __typename: 'JobProgress', done }) as Named,
    (_, newer) => newer,
  );
  const list = new Subject(
    { __typename: 'DocumentList', documents: [] } as Named,
    ({ documents }: DocumentList, n): DocumentListDelta => {
      const from = pick(documents.length);
      const here = documents[from];
      const change = (op: 'ENTER' | 'LEAVE' | 'UPDATE' | 'MOVE', id: string, index: number) => ({
        op,
        id,
        index,
        from: op === 'MOVE' ? from : null,
        document: op === 'LEAVE' ? null : { id, rev: n },
      });
      const enter = change('ENTER', `d${n}`, pick(documents.length + 1));
      if (!here || documents.length < 4) return { __typename: 'DocumentListDelta', changes: [enter] };
      const move = change('MOVE', here.id, pick(documents.length));
      const ways = [[enter, change('LEAVE', here.id, -1)], [change('UPDATE', here.id, from)], [move]];
      return { __typename: 'DocumentListDelta', changes: ways[pick(ways.length)]! };
    },
    (a: DocumentListDelta, b: DocumentListDelta) => ({ ...b, changes: [...a.changes, ...b.changes] }),
  );
  const time = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString();
  const report = new Subject(
    { __typename: 'Report', from: time(0), to: time(0), through: null, points: [], compared: [], totals: [] } as Report,
    (_, n): ReportDelta => ({
      __typename: 'ReportDelta',
      from: time(Math.max(0, n - 9)),
      to: time(n),
      through: time(n),
      dropped: [],
      points: [n, n - pick(5)].map((at) => ({ at: time(Math.max(0, at, n - 9)), key: 'ab'[pick(2)]!, value: n })),
      compared: [],
      newTotals: random() < 0.5 ? [{ n }] : null,
    }),
    (a: ReportDelta, b: ReportDelta) => ({ ...b, points: [...a.points, ...b.points].filter((p) => p.at >= b.from), newTotals: b.newTotals ?? a.newTotals }),
  );
  return { topic: topic(), extra: topic(), job, list, report };
}

const quick: Pace = {
  soon: queueMicrotask,
  later(attempt, hintMs, again) {
    const timer = setTimeout(again, hintMs ?? Math.min(2 ** attempt, 8));
    return () => clearTimeout(timer);
  },
};

/** Polls, as the server and the client meet on real sockets. */
const until = (so: () => boolean, what: string) => vi.waitFor(() => expect(so(), what).toBe(true), { interval: 1, timeout: 10_000 });

test.each<[string, Partial<ClientOptions>, number]>([
  ['a client that gives up at once', { retryAttempts: 0 }, 1],
  ['a client that retries by itself', { lazy: false, retryAttempts: Number.POSITIVE_INFINITY, retryWait: () => Promise.resolve(), shouldRetry: () => true }, 2],
])('%s: nothing is lost, doubled or reordered over a hundred cuts and kills', async (_, options, seed) => {
  const random = chance(seed);
  const world = subjects(random);
  const keys = Object.keys(world);
  const ring = new Ring(world, random);
  await ring.listen();
  const client = createClient({ url: `ws://127.0.0.1:${ring.port}`, webSocketImpl: WebSocket, onNonLazyError: () => {}, ...options });
  const always: Asked[] = keys.filter((key) => key !== 'extra').map((key) => ({ key }));
  const follower = follow<Named>(client, 'subscription Live', always, quick);

  // Whatever is shown is exactly what was so at some time, and time does not run back.
  const wrong: string[] = [];
  const seen = new Map<string, number>();
  let shown = 0;
  const look = () => {
    const { channels, failure } = follower.state();
    if (failure !== null) wrong.push(`failed: ${JSON.stringify(failure)}`);
    for (const [key, { phase, cursor, data }] of Object.entries(channels)) {
      if (phase !== 'live' || cursor === null) continue;
      const place = placeOf(cursor);
      shown++;
      if (place < (seen.get(key) ?? 0)) wrong.push(`${key} went back to ${place}`);
      if (JSON.stringify(data) !== JSON.stringify(world[key]!.states[place])) wrong.push(`${key} is not as it was at ${place}`);
      seen.set(key, place);
    }
  };
  const leave = follower.subscribe(look);
  const caughtUp = () =>
    Object.entries(follower.state().channels).every(([key, { phase, cursor }]) => phase === 'live' && cursor !== null && placeOf(cursor) === world[key]!.at);

  const allLive = () => Object.values(follower.state().channels).every(({ phase }) => phase === 'live');

  let extra = false;
  const toggle = () => {
    extra = !extra;
    if (extra) follower.add([{ key: 'extra' }]);
    else follower.remove(['extra']);
  };
  for (let cut = 0; cut < cuts; cut++) {
    let done: Promise<void> | null = null;
    const kind = random();
    ring.after(1 + Math.floor(random() * 24), () => {
      if (kind < 0.4) ring.cut();
      else if (kind < 0.6) ring.drain(Math.floor(random() * 5));
      else return void (done = ring.kill(kind < 0.8));
      done = Promise.resolve();
    });
    while (!done) {
      // A few changes come at once; the next when the follower is there again.
      await until(() => done !== null || ring.followed, 'the follower is there');
      for (let news = 1 + Math.floor(random() * 4); news > 0; news--) ring.change(keys[Math.floor(random() * keys.length)]!);
      if (random() < 0.5) await until(() => done !== null || allLive(), 'the follower is live');
      if (random() < 0.3) toggle();
    }
    await (done as Promise<void>);
    for (let missed = Math.floor(random() * 8); missed > 0; missed--) ring.change(keys[Math.floor(random() * keys.length)]!);
    if (kind >= 0.6) await ring.listen();
  }

  ring.faulty = false;
  ring.after(Number.POSITIVE_INFINITY, () => {});
  await until(allLive, 'all channels are live');
  for (const key of keys) ring.change(key); // what was dropped last is noticed by what comes then
  await until(caughtUp, 'the follower has caught up');
  for (const [key, { data }] of Object.entries(follower.state().channels)) expect(data, key).toEqual(world[key]!.states[world[key]!.at]);
  look();
  expect(wrong).toEqual([]);
  for (const [what, count] of Object.entries(ring.counts)) if (what !== 'NOTICE') expect(count, what).toBeGreaterThan(5);

  leave();
  await client.dispose();
  await ring.kill(false);
}, 120_000);
