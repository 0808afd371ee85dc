import { beforeEach, expect, test, vi } from 'vitest';

import code from '../../track.js?raw';

type Event = { id: string; name: string; at: string; dims?: object; values?: object; consent: string; actor?: string; session?: string };
type Tracker = { track(name: string, dims?: object, values?: object): void; consent(yes: boolean): void; flush(): Promise<void> };

const memory = () => {
  const held = new Map<string, string>();
  return {
    held,
    getItem: (k: string) => held.get(k) ?? null,
    setItem: (k: string, v: string) => void held.set(k, v),
    removeItem: (k: string) => void held.delete(k),
  };
};

// page runs the snippet in a page of its own; what it sends is answered by the statuses in turn, 200 after the last.
function page(browser: { doNotTrack?: string; globalPrivacyControl?: boolean } = {}, stores = { local: memory(), session: memory() }) {
  const statuses: (number | 'offline')[] = [];
  const sent: { url: string; init: RequestInit; events: Event[] }[] = [];
  const beacons: Event[][] = [];
  const listeners: Record<string, () => void> = {};
  const parse = (text: string) => text.split('\n').map((line) => JSON.parse(line) as Event);
  const globals: { bb?: Tracker } = {};
  const world = {
    globalThis: globals,
    document: { currentScript: { src: 'https://book.example/track.js', dataset: { key: 'bbi_abc' } } },
    navigator: { ...browser, sendBeacon: (_: string, body: string) => beacons.push(parse(body)) > 0 },
    localStorage: stores.local,
    sessionStorage: stores.session,
    addEventListener: (name: string, f: () => void) => { listeners[name] = f; },
    fetch: async (url: string, init: RequestInit) => {
      sent.push({ url, init, events: parse(init.body as string) });
      const status = statuses.shift() ?? 200;
      if (status === 'offline') throw new TypeError('offline');
      return { status };
    },
  };
  new Function(...Object.keys(world), code)(...Object.values(world));
  return { bb: globals.bb!, statuses, sent, beacons, leave: () => listeners.pagehide?.(), stores };
}

beforeEach(() => void vi.useFakeTimers());

test('it is small', () => expect(code.length).toBeLessThan(3 * 1000));

test('events leave in batches, without credentials and without leave to cross origins', async () => {
  const p = page();
  for (let i = 0; i < 150; i++) p.bb.track('page', { path: `/${i}` }, { ms: i });
  expect(p.sent).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(2001);
  expect(p.sent.map((s) => s.events.length)).toEqual([100, 50]);
  expect(p.sent[0]).toMatchObject({ url: 'https://book.example/events?key=bbi_abc', init: { method: 'POST', credentials: 'omit' } });
  expect(p.sent[0]!.init.headers).toBeUndefined();
  const all = p.sent.flatMap((s) => s.events);
  expect(new Set(all.map((e) => e.id)).size).toBe(150);
  for (const e of all) expect(e.id).toMatch(/^[\w.-]{8,64}$/);
  expect(all[7]).toMatchObject({ name: 'page', dims: { path: '/7' }, values: { ms: 7 } });
  expect(Date.parse(all[7]!.at)).toBeGreaterThan(0);
});

test('without consent nobody is known, and nothing is kept', async () => {
  const p = page();
  p.bb.track('page');
  await p.bb.flush();
  expect(p.sent[0]!.events[0]).toMatchObject({ consent: 'DENIED' });
  expect(p.sent[0]!.events[0]).not.toHaveProperty('actor');
  expect(p.sent[0]!.events[0]).not.toHaveProperty('session');
  expect([...p.stores.local.held, ...p.stores.session.held]).toEqual([]);
});

test('with consent somebody is the same on the next page, until they take it back', async () => {
  const p = page();
  p.bb.consent(true);
  p.bb.track('page');
  await p.bb.flush();
  const first = p.sent[0]!.events[0]!;
  expect(first).toMatchObject({ consent: 'GRANTED', actor: expect.stringMatching(/^[\w.-]{8,64}$/), session: expect.any(String) });
  const next = page({}, p.stores);
  next.bb.track('page');
  await next.bb.flush();
  expect(next.sent[0]!.events[0]).toMatchObject({ actor: first.actor, session: first.session });
  next.bb.track('page');
  next.bb.consent(false); // what waits forgets them too
  next.bb.track('page');
  await next.bb.flush();
  for (const e of next.sent[1]!.events) expect([e.consent, e.actor, e.session]).toEqual(['DENIED', undefined, undefined]);
  expect([...p.stores.local.held, ...p.stores.session.held]).toEqual([]);
});

test.each([{ doNotTrack: '1' }, { globalPrivacyControl: true }])('%j: nothing at all is sent before consent', async (browser) => {
  const p = page(browser);
  p.bb.track('page');
  await vi.advanceTimersByTimeAsync(10_000);
  p.leave();
  expect([p.sent, p.beacons]).toEqual([[], []]);
  p.bb.consent(true);
  p.bb.track('page');
  await vi.advanceTimersByTimeAsync(2000);
  expect(p.sent).toHaveLength(1);
});

test('what fails is sent again with the same ids, later and later', async () => {
  const p = page();
  p.statuses.push('offline', 503, 429);
  p.bb.track('page');
  await vi.advanceTimersByTimeAsync(2000);
  expect(p.sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(900);
  expect(p.sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(p.sent).toHaveLength(4);
  expect(new Set(p.sent.map((s) => s.events[0]!.id)).size).toBe(1);
});

test('what is refused is not sent again', async () => {
  const p = page();
  p.statuses.push(401);
  p.bb.track('page');
  await vi.advanceTimersByTimeAsync(120_000);
  expect(p.sent).toHaveLength(1);
});

test('a page that goes leaves what waits and what is under way to beacons', async () => {
  const p = page();
  p.statuses.push('offline');
  for (let i = 0; i < 150; i++) p.bb.track('page');
  const flushing = p.bb.flush();
  p.leave();
  await flushing;
  expect(p.beacons.map((b) => b.length)).toEqual([100, 50]);
  expect(p.beacons[0]!.map((e) => e.id)).toEqual(p.sent[0]!.events.map((e) => e.id));
});

test('a browser that forbids its stores is no obstacle', async () => {
  const forbidden = () => { throw new Error('SecurityError'); };
  const store = { ...memory(), getItem: forbidden, setItem: forbidden, removeItem: forbidden };
  const p = page({}, { local: store, session: store });
  p.bb.consent(true);
  p.bb.track('page');
  await p.bb.flush();
  expect(p.sent[0]!.events[0]).toMatchObject({ consent: 'GRANTED' });
  p.bb.consent(false);
});
