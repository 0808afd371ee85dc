import type { LiveClient } from '@backendbook/live';
import type { Sink } from 'graphql-ws';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { following, type Frame, type Frames, resuming, withFrame } from './frames';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function socket() {
  const asked: unknown[] = [];
  const sinks: Sink[] = [];
  const subscribe = (payload: unknown, sink: Sink) => {
    asked.push((payload as { variables: unknown }).variables);
    sinks.push(sink);
    return () => {};
  };
  return { asked, last: () => sinks.at(-1)!, client: { subscribe, on: () => () => {} } as unknown as LiveClient };
}

const message = (channel: string, kind: string, seq: number, cursor: string) => ({
  data: { live: { channel, kind, seq, firstSeq: seq, cursor, error: null } },
});

function run(variables: object) {
  const { asked, last, client } = socket();
  const told: Frame[] = [];
  const results: unknown[] = [];
  const observer = { next: (r: unknown) => results.push(r), error: vi.fn(), complete: vi.fn() };
  const running = resuming(client, { query: 'subscription { x }', variables }, (f) => told.push(f)).subscribe(observer);
  return { asked, last, told, results, observer, running };
}

test('after a cut each channel goes on from its cursor', () => {
  const { asked, last, told, results } = run({ channels: [{ key: 'a' }, { key: 'b' }] });
  last().next(message('a', 'SNAPSHOT', 1, 'c1') as never);
  last().next(message('a', 'DELTA', 2, 'c2') as never);
  last().error({ code: 4499 });
  vi.advanceTimersByTime(500);
  expect(asked).toEqual([{ channels: [{ key: 'a' }, { key: 'b' }] }, { channels: [{ key: 'a', after: 'c2' }, { key: 'b' }] }]);
  last().next(message('a', 'RESUMED', 1, 'c2') as never);
  expect(told.map((f) => f.kind)).toEqual(['SNAPSHOT', 'DELTA', 'CUT', 'RESUMED']);
  expect(told[0]).toMatchObject({ channel: 'a', seq: 1, cursor: 'c1', bytes: JSON.stringify(message('a', 'SNAPSHOT', 1, 'c1')).length });
  expect(results).toHaveLength(3);
});

test('errors of the server, and closes that are final, are the end', () => {
  for (const end of [[{ message: 'no' }], { code: 4403 }]) {
    const { asked, last, told, observer } = run({});
    last().error(end);
    vi.advanceTimersByTime(60_000);
    expect(observer.error).toHaveBeenCalledWith(end);
    expect(asked).toHaveLength(1);
    expect(told.map((f) => f.kind)).toEqual(['END']);
  }
});

test('what was left is not taken up again', () => {
  const { asked, last, running } = run({});
  last().error({ code: 1006 });
  running.unsubscribe();
  vi.advanceTimersByTime(60_000);
  expect(asked).toHaveLength(1);
});

test('a mark is told in every channel, and a channel keeps the newest', () => {
  const frame = (id: number, channel: string, kind = 'DELTA'): Frame => ({ id, channel, kind, bytes: 1 });
  let frames: Frames = {};
  for (let id = 0; id < 150; id++) frames = withFrame(frames, frame(id, 'a'));
  frames = withFrame(withFrame(frames, frame(150, 'b')), frame(151, '', 'CUT'));
  expect(frames['a']?.map((f) => f.id).slice(0, 2)).toEqual([151, 149]);
  expect(frames['a']).toHaveLength(100);
  expect(frames['b']?.map((f) => f.kind)).toEqual(['CUT', 'DELTA']);
  expect(following(frames)).toBe(true);
  expect(following(withFrame(frames, frame(152, '', 'END')))).toBe(false);
});
