import { describe, expect, test } from 'vitest';

import { type Channel as Folded, families, fold, newestFirst, waiting } from './fold';
import type * as live from './message';

// What a caller may have selected: more than is folded.
interface ReportPoint extends live.ReportPoint {
  value: number | null;
  count: number;
}
interface Report extends live.Report {
  metric: string;
  points: ReportPoint[];
  compared: ReportPoint[];
}
type Facts<T extends string, K extends string> = { __typename: T } & Record<K, { id: string }[]>;
type State =
  | Report
  | live.DocumentList
  | live.PolicyNews
  | Facts<'SessionList', 'sessions'>
  | (Facts<'EventTail', 'events'> & { skipped: number })
  | Facts<'SecurityEventList', 'events'>
  | Facts<'TopicMessageList', 'messages'>;
type Channel = Folded<State>;
type LiveMessage = live.Message;

const minute = (n: number) => `2026-01-02T03:${String(n).padStart(2, '0')}:00.000Z`;
const point = (n: number, value: number | null, key = ''): ReportPoint => ({ at: minute(n), key, value, count: value ?? 0 });

function report(points: ReportPoint[], from = 0, to = 3): Report {
  return {
    __typename: 'Report',
    metric: 'flights.count',
    from: minute(from),
    to: minute(to),
    through: null,
    points,
    compared: [],
    totals: [],
  };
}

function list(...ids: string[]): live.DocumentList {
  return { __typename: 'DocumentList', documents: ids.map((id) => listed(id)) };
}

function listed(id: string, rev = 1) {
  return { id, rev, label: id.toUpperCase(), data: {}, createdAt: minute(0), updatedAt: minute(0) };
}

function message(kind: LiveMessage['kind'], seq: number, data: LiveMessage['data'], rest: Partial<LiveMessage> = {}): LiveMessage {
  return { channel: 'c', kind, seq, firstSeq: seq, cursor: kind === 'NOTICE' ? null : `at ${seq}`, at: minute(seq % 60), data, error: null, ...rest };
}

function delta(points: ReportPoint[], rest: Partial<live.ReportDelta> = {}): live.ReportDelta {
  return { __typename: 'ReportDelta', from: minute(0), to: minute(3), through: minute(2), dropped: [], points, compared: [], newTotals: null, ...rest };
}

type Change = live.DocumentListDelta['changes'][number];
function changes(...made: [op: Change['op'], id: string, index: number, rev?: number, from?: number][]): live.DocumentListDelta {
  return {
    __typename: 'DocumentListDelta',
    changes: made.map(([op, id, index, rev, from = null]) => ({
      op,
      id,
      index,
      from,
      document: op === 'LEAVE' ? null : listed(id, rev),
    })),
  };
}

/** Folds messages one after the other and gives the last outcome. */
function all(...messages: LiveMessage[]) {
  return messages.reduce((folded, m) => fold<State>(folded.channel, m), { channel: waiting as Channel, lost: false });
}

const points = (channel: Channel) =>
  channel.data?.__typename === 'Report' ? channel.data.points.map((p) => [p.at.slice(14, 16), p.key, p.value]) : null;
const ids = (channel: Channel) => (channel.data?.__typename === 'DocumentList' ? channel.data.documents.map((d) => d.id) : null);

describe('whole states', () => {
  test.each(['SNAPSHOT', 'RESYNC'] as const)('%s replaces all, whatever its number', (kind) => {
    const { channel, lost } = all(
      message('SNAPSHOT', 7, report([point(0, 1), point(1, 2)])),
      message(kind, 3, report([point(1, 9)])),
    );
    expect(lost).toBe(false);
    expect(channel).toMatchObject({ phase: 'live', seq: 3, error: null });
    expect(points(channel)).toEqual([['01', '', 9]]);
  });

  test('a whole state of a kind unknown here is lost, and what was shown stays', () => {
    const { channel, lost } = all(message('SNAPSHOT', 1, report([point(0, 1)])), message('RESYNC', 2, delta([])));
    expect(lost).toBe(true);
    expect(channel.phase).toBe('waiting');
    expect(points(channel)).toEqual([['00', '', 1]]);
  });
});

describe('order', () => {
  const first = message('SNAPSHOT', 5, report([point(0, 1)]));

  test('a delta before any state is lost', () => {
    expect(all(message('DELTA', 1, delta([])))).toMatchObject({ lost: true, channel: { phase: 'waiting', data: null } });
  });

  test('the next number is folded', () => {
    const { channel, lost } = all(first, message('DELTA', 6, delta([point(0, 2)])));
    expect(lost).toBe(false);
    expect(channel).toMatchObject({ seq: 6, at: minute(6) });
    expect(points(channel)).toEqual([['00', '', 2]]);
  });

  test('several deltas folded into one are no gap', () => {
    const { channel, lost } = all(first, message('DELTA', 9, delta([point(0, 2)]), { firstSeq: 6 }));
    expect(lost).toBe(false);
    expect(channel.seq).toBe(9);
  });

  test('a gap is lost, and what was shown stays', () => {
    const { channel, lost } = all(first, message('DELTA', 7, delta([point(0, 2)])));
    expect(lost).toBe(true);
    expect(channel).toMatchObject({ phase: 'waiting', seq: 5 });
    expect(points(channel)).toEqual([['00', '', 1]]);
  });

  test('a message seen already changes nothing', () => {
    const before = all(first, message('DELTA', 6, delta([point(0, 2)]))).channel;
    expect(fold(before, message('DELTA', 6, delta([point(0, 3)])))).toEqual({ channel: before, lost: false });
  });

  test('a delta that begins within what is known is lost: a part of it would count twice', () => {
    expect(all(first, message('DELTA', 7, delta([]), { firstSeq: 5 })).lost).toBe(true);
  });

  test('after a gap, deltas stay lost until a whole state comes', () => {
    const gap = [first, message('DELTA', 7, delta([]))] as const;
    expect(all(...gap, message('DELTA', 8, delta([]))).lost).toBe(true);
    expect(all(...gap, message('RESYNC', 8, report([])), message('DELTA', 9, delta([])))).toMatchObject({
      lost: false,
      channel: { phase: 'live', seq: 9 },
    });
  });
});

describe('reports', () => {
  test('points are replaced by time and key, added in order, and dropped before the new begin', () => {
    const { channel } = all(
      message('SNAPSHOT', 1, report([point(0, 1, 'SFO'), point(1, 2, 'LAX'), point(1, 3, 'SFO')])),
      message('DELTA', 2, delta([point(2, 5, 'LAX'), point(1, 4, 'SFO'), point(1, 1, 'BOS')], { from: minute(1), to: minute(4) })),
    );
    expect(points(channel)).toEqual([
      ['01', 'BOS', 1],
      ['01', 'LAX', 2],
      ['01', 'SFO', 4],
      ['02', 'LAX', 5],
    ]);
    expect(channel.data).toMatchObject({ from: minute(1), to: minute(4), through: minute(2) });
  });

  test('dropped keys lose all their points, and may come back in the same delta', () => {
    const { channel } = all(
      message('SNAPSHOT', 1, report([point(0, 1, 'A'), point(0, 2, 'B'), point(1, 3, 'B')])),
      message('DELTA', 2, delta([point(1, 9, 'C')], { dropped: ['B'] })),
    );
    expect(points(channel)).toEqual([
      ['00', 'A', 1],
      ['01', 'C', 9],
    ]);
  });

  test('compared points are folded as the others; totals are replaced, or stay', () => {
    const total = (value: number) => [{ key: '', value, count: value, compared: null }];
    const before = { ...report([point(1, 1)]), compared: [point(0, 7), point(1, 8, 'B')], totals: total(1) };
    const folded = (rest: Partial<live.ReportDelta>) => all(message('SNAPSHOT', 1, before), message('DELTA', 2, delta([], rest))).channel.data;
    expect(folded({ from: minute(1), dropped: ['B'], compared: [point(1, 9)] })).toMatchObject({ compared: [point(1, 9)], totals: total(1) });
    expect(folded({ newTotals: total(2) })).toMatchObject({ compared: [point(0, 7), point(1, 8, 'B')], totals: total(2) });
  });

  test('the state before is not touched', () => {
    const before = all(message('SNAPSHOT', 1, report([point(0, 1)]))).channel;
    fold(before, message('DELTA', 2, delta([point(0, 2), point(1, 1)], { from: minute(1) })));
    expect(points(before)).toEqual([['00', '', 1]]);
  });
});

describe('endless lists', () => {
  const tail = (skipped: number, ...ids: string[]) => ({ __typename: 'EventTail', skipped, events: ids.map((id) => ({ id })) });
  const many = Array.from({ length: 100 }, (_, i) => `old-${i}`);

  test('new events stand before the others, a hundred in all', () => {
    const { channel } = all(message('SNAPSHOT', 1, tail(0, ...many)), message('DELTA', 2, tail(3, 'b', 'a')));
    const shown = channel.data?.__typename === 'EventTail' ? channel.data : null;
    expect(shown?.events.map((e) => e.id).slice(0, 3)).toEqual(['b', 'a', 'old-0']);
    expect(shown?.events).toHaveLength(100);
    expect(shown?.skipped).toBe(3);
  });

  test('new messages of a topic stand behind the others, the last hundred', () => {
    const topic = (...ids: string[]) => ({ __typename: 'TopicMessageList', messages: ids.map((id) => ({ id })) });
    const { channel } = all(message('SNAPSHOT', 1, topic(...many)), message('DELTA', 2, topic('a', 'b')));
    const shown = channel.data?.__typename === 'TopicMessageList' ? channel.data.messages.map((m) => m.id) : [];
    expect(shown).toHaveLength(100);
    expect([shown[0], ...shown.slice(-3)]).toEqual(['old-2', 'old-99', 'a', 'b']);
  });

  test('news of the policy are collected under the last revision', () => {
    const news = (rev: number, ...kinds: string[]) => ({ __typename: 'PolicyNews', rev, changes: kinds.map((kind) => ({ kind })) });
    const { channel } = all(message('SNAPSHOT', 1, news(7)), message('DELTA', 2, news(8, 'a')), message('DELTA', 3, news(10, 'b', 'c')));
    expect(channel.data).toEqual(news(10, 'a', 'b', 'c'));
  });
});

describe('families', () => {
  // The server's own schema, so that no family is forgotten here.
  const files = import.meta.glob<string>('../../schema/live.graphqls', { query: '?raw', import: 'default', eager: true });
  const union = /^union LiveData =([^\n]*)/m.exec(Object.values(files).join())?.[1] ?? '';
  const members = union.split('|').map((name) => name.trim());
  const byParts = ['Report', 'DocumentList', 'SecurityEventList', 'EventTail', 'TopicMessageList', 'PolicyNews'];
  const deltas = ['ReportDelta', 'DocumentListDelta'];
  const whole = families.filter((name) => !byParts.includes(name) && !deltas.includes(name));

  test('all that the server knows are known here', () => {
    expect(members.length).toBeGreaterThan(10);
    expect(members.filter((name) => !families.includes(name))).toEqual([]);
  });

  test.each(whole)('each message of a %s brings all of it', (__typename) => {
    const state = (n: number) => ({ __typename, n });
    const first = message('SNAPSHOT', 1, state(1));
    expect(all(first, message('DELTA', 2, state(2)))).toMatchObject({ lost: false, channel: { seq: 2, data: state(2) } });
    expect(all(first, message('RESYNC', 7, state(7)), message('DELTA', 8, state(8))).channel.data).toEqual(state(8));
  });

  test.each([...families])('a change of another family is no %s', (__typename) => {
    const other = __typename === 'Funnel' ? 'Paths' : 'Funnel';
    expect(all(message('SNAPSHOT', 1, { __typename: other }), message('DELTA', 2, { __typename }))).toMatchObject({
      lost: true,
      channel: { data: { __typename: other }, cursor: null },
    });
  });

  test.each([...deltas, 'Unheard', 'constructor'])('a %s is no state', (__typename) => {
    expect(all(message('SNAPSHOT', 1, { __typename }))).toMatchObject({ lost: true, channel: { phase: 'waiting', data: null } });
  });
});

describe('going on', () => {
  const first = message('SNAPSHOT', 5, list('a', 'b'));
  const enter = (id: string) => changes(['ENTER', id, 0]);

  test('a channel that was left goes on with exactly what it missed, by the numbers of the node that answers', () => {
    const before = { ...all(first).channel, phase: 'waiting' as const };
    const again = fold(before, message('RESUMED', 900, null, { cursor: 'at 5' }));
    expect(again).toMatchObject({ lost: false, channel: { phase: 'live', seq: 900, cursor: 'at 5' } });
    expect(ids(again.channel)).toEqual(['a', 'b']);
    const { channel, lost } = fold(again.channel, message('DELTA', 903, enter('c'), { firstSeq: 901 }));
    expect(lost).toBe(false);
    expect(ids(channel)).toEqual(['c', 'a', 'b']);
    expect(channel.cursor).toBe('at 903');
  });

  test('a channel that has nothing cannot go on', () => {
    expect(all(message('RESUMED', 5, null))).toMatchObject({ lost: true, channel: { phase: 'waiting', cursor: null } });
  });

  test('after a gap the cursor stays where the state is', () => {
    const { channel } = all(first, message('DELTA', 6, enter('c')), message('DELTA', 8, enter('d')));
    expect(channel).toMatchObject({ phase: 'waiting', seq: 6, cursor: 'at 6' });
  });

  test('after a change that makes no sense only a whole state will do', () => {
    const { channel, lost } = all(first, message('DELTA', 6, changes(['UPDATE', 'x', 0])));
    expect(lost).toBe(true);
    expect(channel.cursor).toBeNull();
  });

  test('an ended channel can be gone on with', () => {
    const ended = all(first, message('NOTICE', 6, null, { error: { code: 'CHANNEL_ENDED', message: '' } })).channel;
    expect(fold(ended, message('RESUMED', 5, null)).channel).toMatchObject({ phase: 'live', error: null });
  });

  test('in mode LATEST each message is the whole state', () => {
    const { channel, lost } = all(first, message('SNAPSHOT', 9, list('c'), { firstSeq: 6 }), message('SNAPSHOT', 12, list('d'), { firstSeq: 10 }));
    expect(lost).toBe(false);
    expect(ids(channel)).toEqual(['d']);
  });
});

describe('lists', () => {
  const first = message('SNAPSHOT', 1, list('a', 'b', 'c'));
  const after = (data: LiveMessage['data']) => all(first, message('DELTA', 2, data));

  test.each([
    ['enters at the top', changes(['ENTER', 'd', 0]), ['d', 'a', 'b', 'c']],
    ['enters within', changes(['ENTER', 'd', 2]), ['a', 'b', 'd', 'c']],
    ['one enters, another falls out', changes(['ENTER', 'd', 0], ['LEAVE', 'c', -1]), ['d', 'a', 'b']],
    ['one leaves, another moves up', changes(['LEAVE', 'a', -1], ['ENTER', 'd', 2]), ['b', 'c', 'd']],
    ['enters anew at another place', changes(['ENTER', 'c', 0]), ['c', 'a', 'b']],
    ['leaves though it was not there', changes(['LEAVE', 'x', -1]), ['a', 'b', 'c']],
  ])('%s', (_, data, want) => {
    const { channel, lost } = after(data);
    expect(lost).toBe(false);
    expect(ids(channel)).toEqual(want);
  });

  test('an update keeps its place', () => {
    const { channel } = after(changes(['UPDATE', 'b', 1, 2]));
    expect(ids(channel)).toEqual(['a', 'b', 'c']);
    expect(channel.data).toMatchObject({ documents: [{ rev: 1 }, { id: 'b', rev: 2 }, { rev: 1 }] });
  });

  test.each([
    ['up', changes(['MOVE', 'c', 0, 2, 2]), ['c', 'a', 'b']],
    ['down', changes(['MOVE', 'a', 2, 2, 0]), ['b', 'c', 'a']],
    ['and another leaves', changes(['LEAVE', 'b', -1], ['MOVE', 'c', 0, 2, 1]), ['c', 'a']],
  ])('a document moves %s', (_, data, want) => {
    const { channel, lost } = after(data);
    expect(lost).toBe(false);
    expect(ids(channel)).toEqual(want);
  });

  test.each([
    ['is not there', changes(['MOVE', 'x', 0, 2, 1])],
    ['is elsewhere', changes(['MOVE', 'c', 0, 2, 1])],
  ])('a move of a document that %s is lost', (_, data) => {
    expect(after(data).lost).toBe(true);
  });

  test('an update of a document that is not there is lost', () => {
    expect(after(changes(['UPDATE', 'x', 0])).lost).toBe(true);
  });

  test('a change of the other family is lost', () => {
    expect(after(delta([])).lost).toBe(true);
  });
});

describe('lists of one’s own', () => {
  const sessions = (...ids: string[]) => ({
    __typename: 'SessionList',
    sessions: ids.map((id) => ({ id })),
  });
  const events = (...ids: string[]) => ({
    __typename: 'SecurityEventList',
    events: ids.map((id) => ({ id })),
  });
  const shown = ({ data }: Channel) => {
    if (data?.__typename === 'SessionList') return data.sessions.map((s) => s.id);
    return data?.__typename === 'SecurityEventList' ? data.events.map((e) => e.id) : null;
  };

  test.each(['DELTA', 'RESYNC'] as const)('a %s brings all sessions', (kind) => {
    const { channel, lost } = all(message('SNAPSHOT', 1, sessions('b', 'a')), message(kind, 2, sessions('c', 'b')));
    expect(lost).toBe(false);
    expect(shown(channel)).toEqual(['c', 'b']);
  });

  test.each([
    ['the newest comes first', ['9'], ['9', '5', '3']],
    ['one that became known late takes its place', ['4'], ['5', '4', '3']],
    ['one that is known already counts once', ['5', '6'], ['6', '5', '3']],
    ['no news changes nothing', [], ['5', '3']],
  ])('of security events %s', (_, news, want) => {
    const before = all(message('SNAPSHOT', 1, events('5', '3'))).channel;
    const { channel, lost } = fold(before, message('DELTA', 2, events(...news)));
    expect(lost).toBe(false);
    expect(shown(channel)).toEqual(want);
    expect(shown(before)).toEqual(['5', '3']);
  });

  test('a RESYNC of security events is all there is to know', () => {
    const { channel } = all(message('SNAPSHOT', 1, events('5', '3')), message('RESYNC', 7, events('9', '8')));
    expect(shown(channel)).toEqual(['9', '8']);
  });

  test('a change of the other family is lost', () => {
    expect(all(message('SNAPSHOT', 1, sessions('a')), message('DELTA', 2, events('1'))).lost).toBe(true);
    expect(all(message('SNAPSHOT', 1, events('1')), message('DELTA', 2, sessions('a'))).lost).toBe(true);
  });

  test('the newest first leaves what it was given as it is', () => {
    const given = [{ id: '1' }, { id: '2' }, { id: '1' }];
    expect(newestFirst(given).map((e) => e.id)).toEqual(['2', '1']);
    expect(given).toHaveLength(3);
  });
});

test('a notice ends the channel, says why, and leaves what was shown', () => {
  const error = { code: 'CHANNEL_ENDED', message: 'the right to follow this channel has ended' };
  const { channel, lost } = all(message('SNAPSHOT', 1, list('a')), message('NOTICE', 2, null, { error }));
  expect(lost).toBe(false);
  expect(channel).toMatchObject({ phase: 'ended', error });
  expect(ids(channel)).toEqual(['a']);
});
