// What a channel shows after each of its messages. Pure: no socket, no clock, no React.
import type {
  DocumentList,
  DocumentListDelta,
  EventTail,
  LiveError,
  Message,
  Named,
  PolicyNews,
  Report,
  ReportDelta,
  ReportPoint,
  SecurityEventList,
  TopicMessageList,
} from './message';

/** A channel as it stands. S is the union of the states its family or families can have. */
export interface Channel<S extends Named = Named> {
  /** `waiting` to hear that its state is good (data, if any, is of before), `live`, or `ended` by a NOTICE. */
  phase: 'waiting' | 'live' | 'ended';
  /** Number of the last message folded in. */
  seq: number;
  /** Where the state was left, to go on from; null when only a whole state will do. */
  cursor: string | null;
  /** When the state was like this, by the clock of the server; null before the first message. */
  at: string | null;
  /** The whole state; null before the first. */
  data: S | null;
  /** Why the channel ended. */
  error: LiveError | null;
}

/** What folding a message led to. */
export interface Folded<S extends Named = Named> {
  channel: Channel<S>;
  /** Messages are missing, or one made no sense: only a new subscription, from the cursor on if there is one, mends it. */
  lost: boolean;
}

/** A channel before its first message. */
export const waiting: Channel<never> = { phase: 'waiting', seq: 0, cursor: null, at: null, data: null, error: null };

/** Folds one message into the channel, which itself stays as it is. */
export function fold<S extends Named>(channel: Channel<S>, message: Message): Folded<S> {
  switch (message.kind) {
    case 'SNAPSHOT':
    case 'RESYNC':
      return replaced(channel, message);
    case 'RESUMED':
      return resumed(channel, message);
    case 'DELTA':
      return changed(channel, message);
    case 'NOTICE':
      return { channel: { ...channel, phase: 'ended', error: message.error }, lost: false };
  }
}

type Apply = (data: never, delta: never) => Named | null;
const newer: Apply = (_, delta) => delta;

// How a DELTA of each family changes its state, and the type of the DELTA where it is not that of the state.
const changes: Record<string, Apply> = {
  AlertList: newer,
  BacklinkList: newer,
  DocumentList: applyList,
  DocumentState: newer,
  EntitlementList: newer,
  EventTail: applyTail,
  Funnel: newer,
  JobProgress: newer,
  NodeList: newer,
  Paths: newer,
  PermissionList: newer,
  PolicyNews: applyNews,
  Report: applyReport,
  Retention: newer,
  SecurityEventList: applyEvents,
  SessionList: newer,
  TopicMessageList: applyMessages,
  UsageList: newer,
  WatcherList: newer,
};
const deltaOf: Record<string, string> = { DocumentList: 'DocumentListDelta', Report: 'ReportDelta' };

/** The members of LiveData that can be folded. */
export const families: readonly string[] = [...Object.keys(changes), ...Object.values(deltaOf)];

/** How many items of an endless list are kept: as many as a channel may begin with. */
const tailLength = 100;

function replaced<S extends Named>(channel: Channel<S>, { data, seq, cursor, at }: Message): Folded<S> {
  if (!data || !Object.hasOwn(changes, data.__typename)) return senseless(channel);
  return { channel: { phase: 'live', seq, cursor, at, data: data as S, error: null }, lost: false };
}

function resumed<S extends Named>(channel: Channel<S>, { seq, cursor }: Message): Folded<S> {
  // The number is that of the node that answers: it may count otherwise than the one before.
  if (!channel.data) return senseless(channel);
  return { channel: { ...channel, phase: 'live', seq, cursor: cursor ?? channel.cursor, error: null }, lost: false };
}

function changed<S extends Named>(channel: Channel<S>, message: Message): Folded<S> {
  if (channel.phase !== 'live') return lost(channel);
  // Seen already: a change applied twice would be wrong for lists.
  if (message.seq <= channel.seq) return { channel, lost: false };
  // Also when it begins within what is known: a part of it would count twice.
  if (message.firstSeq !== channel.seq + 1) return lost(channel);
  const data = apply(channel.data, message.data);
  if (!data) return senseless(channel);
  return { channel: { ...channel, seq: message.seq, cursor: message.cursor, at: message.at, data: data as S }, lost: false };
}

/** What was shown stays on show while the channel waits for what it missed. */
function lost<S extends Named>(channel: Channel<S>): Folded<S> {
  return { channel: { ...channel, phase: 'waiting' }, lost: true };
}

/** As lost, but going on from where it was would lead to the same again. */
function senseless<S extends Named>(channel: Channel<S>): Folded<S> {
  return lost({ ...channel, cursor: null });
}

function apply(data: Named | null, delta: Named | null): Named | null {
  if (!data || !delta || delta.__typename !== (deltaOf[data.__typename] ?? data.__typename)) return null;
  return changes[data.__typename]?.(data as never, delta as never) ?? null;
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

function applyMessages(list: TopicMessageList, news: TopicMessageList): TopicMessageList {
  return { ...list, messages: [...list.messages, ...news.messages].slice(-tailLength) };
}

/** The last revision with the changes since the channel began, so that who looks now and then misses none. */
function applyNews(before: PolicyNews, news: PolicyNews): PolicyNews {
  return { ...news, changes: [...before.changes, ...news.changes].slice(-tailLength) };
}

/** Facts by their ids, each once, the newest first. */
export function newestFirst<T extends { id: string }>(events: readonly T[]): T[] {
  return [...new Map(events.map((e) => [e.id, e])).values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
}
