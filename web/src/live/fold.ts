// What a channel shows after each of its messages. Pure: no socket, no clock, no React.
import type {
  DocumentList,
  DocumentListDelta,
  EventTail,
  LiveError,
  LiveMessage,
  Report,
  ReportDelta,
  ReportPoint,
  SecurityEventList,
  State,
} from './message';

/** A channel as it stands. */
export interface Channel {
  /** `waiting` for a whole state (data, if any, is of before), `live`, or `ended` by a NOTICE. */
  phase: 'waiting' | 'live' | 'ended';
  /** Number of the last message folded in. */
  seq: number;
  /** When the state was like this, by the clock of the server; null before the first message. */
  at: string | null;
  /** The whole state; null before the first. */
  data: State | null;
  /** Why the channel ended. */
  error: LiveError | null;
}

/** What folding a message led to. */
export interface Folded {
  channel: Channel;
  /** Messages are missing, or one made no sense: only a new subscription gives a state one can trust. */
  lost: boolean;
}

export const waiting: Channel = { phase: 'waiting', seq: 0, at: null, data: null, error: null };

/** Folds one message into the channel. */
export function fold(channel: Channel, message: LiveMessage): Folded {
  switch (message.kind) {
    case 'SNAPSHOT':
    case 'RESYNC':
      return replaced(channel, message);
    case 'DELTA':
      return changed(channel, message);
    case 'NOTICE':
      return { channel: { ...channel, phase: 'ended', error: message.error }, lost: false };
  }
}

function replaced(channel: Channel, message: LiveMessage): Folded {
  const { data, seq, at } = message;
  if (!isState(data)) return lost(channel);
  return { channel: { phase: 'live', seq, at, data, error: null }, lost: false };
}

// Families each message of which brings all there is.
const whole = ['Funnel', 'Retention', 'Paths', 'AlertList', 'SessionList', 'EntitlementList', 'UsageList'];
const states = ['Report', 'DocumentList', 'SecurityEventList', 'EventTail', ...whole];

/** How many events of a tail are kept: as many as a channel may begin with. */
const tailLength = 100;

function isState(data: LiveMessage['data']): data is State {
  return data !== null && states.includes(data.__typename);
}

function changed(channel: Channel, message: LiveMessage): Folded {
  if (channel.phase !== 'live') return lost(channel);
  // Seen already: a change applied twice would be wrong for lists.
  if (message.seq <= channel.seq) return { channel, lost: false };
  if (message.firstSeq !== channel.seq + 1) return lost(channel);
  const data = apply(channel.data, message.data);
  if (!data) return lost(channel);
  return { channel: { ...channel, seq: message.seq, at: message.at, data }, lost: false };
}

/** What was shown stays on show while the channel waits for a whole state. */
function lost(channel: Channel): Folded {
  return { channel: { ...channel, phase: 'waiting' }, lost: true };
}

function apply(data: Channel['data'], delta: LiveMessage['data']): Channel['data'] {
  if (data?.__typename === 'Report' && delta?.__typename === 'ReportDelta') return applyReport(data, delta);
  if (data?.__typename === 'DocumentList' && delta?.__typename === 'DocumentListDelta') return applyList(data, delta);
  if (data?.__typename === 'SecurityEventList' && delta?.__typename === 'SecurityEventList') return applyEvents(data, delta);
  if (data?.__typename === 'EventTail' && delta?.__typename === 'EventTail') return applyTail(data, delta);
  return isState(delta) && whole.includes(delta.__typename) && delta.__typename === data?.__typename ? delta : null;
}

function applyReport(report: Report, delta: ReportDelta): Report {
  return {
    ...report,
    from: delta.from,
    to: delta.to,
    through: delta.through,
    points: applyPoints(report.points, delta.points, delta),
    compared: applyPoints(report.compared, delta.compared, delta),
    totals: delta.newTotals ?? report.totals,
  };
}

function applyPoints(before: ReportPoint[], news: ReportPoint[], { from, dropped }: ReportDelta): ReportPoint[] {
  // Times are RFC 3339 in UTC of one form, so their text is ordered as they are.
  const gone = new Set(dropped);
  const kept = before.filter((p) => p.at >= from && !gone.has(p.key));
  const points = new Map(kept.map((p) => [`${p.at} ${p.key}`, p]));
  for (const point of news) points.set(`${point.at} ${point.key}`, point);
  return [...points.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, point]) => point);
}

function applyList(list: DocumentList, delta: DocumentListDelta): DocumentList | null {
  const documents = [...list.documents];
  for (const { op, id, index, from, document } of delta.changes) {
    const here = documents.findIndex((d) => d.id === id);
    if (op === 'LEAVE') {
      if (here >= 0) documents.splice(here, 1);
      continue;
    }
    if (!document || (op === 'UPDATE' && here < 0) || (op === 'MOVE' && here !== from)) return null;
    if (here >= 0) documents.splice(here, 1);
    documents.splice(op === 'UPDATE' ? here : index, 0, document);
  }
  return { ...list, documents };
}

/** Facts come in the order in which they became true on disk, and are shown in that of their ids, which grow with time. */
function applyEvents(list: SecurityEventList, news: SecurityEventList): SecurityEventList {
  return { ...list, events: newestFirst([...list.events, ...news.events]) };
}

function applyTail(tail: EventTail, news: EventTail): EventTail {
  return { ...tail, events: [...news.events, ...tail.events].slice(0, tailLength), skipped: tail.skipped + news.skipped };
}

/** Facts by their ids, each once, the newest first. */
export function newestFirst<T extends { id: string }>(events: readonly T[]): T[] {
  return [...new Map(events.map((e) => [e.id, e])).values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
}
