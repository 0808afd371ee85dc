// What a subscription is told, message by message, and how it goes on after a cut.
import { isFinal, type LiveClient, reconnectHint } from '@backendbook/live';
import type { FetcherParams } from '@graphiql/toolkit';

/** A message of a channel, or a mark between two: CUT where the connection was lost, END where nothing follows. */
export interface Frame {
  id: number;
  channel: string;
  kind: string;
  seq?: number;
  firstSeq?: number;
  cursor?: string | null;
  /** Of the message as JSON. */
  bytes: number;
  code?: string;
}

/** Frames by channel, the newest first. */
export type Frames = Readonly<Record<string, readonly Frame[]>>;

const kept = 100;

/** The frames with one more. A mark is for every channel. */
export function withFrame(frames: Frames, frame: Frame): Frames {
  const channels = frame.channel ? [frame.channel] : Object.keys(frames);
  const news = channels.map((c) => [c, [{ ...frame, channel: c }, ...(frames[c] ?? [])].slice(0, kept)] as const);
  return { ...frames, ...Object.fromEntries(news) };
}

type Told = Partial<Omit<Frame, 'id' | 'bytes' | 'code'>> & { error?: { code: string } | null };

/** Whether more may follow. */
export function following(frames: Frames): boolean {
  return Object.values(frames).some(([newest]) => newest?.kind !== 'END');
}

/** What GraphiQL takes for an observable. */
export interface Stream {
  subscribe(observer: { next(result: unknown): void; error(error: unknown): void; complete(): void }): { unsubscribe(): void };
}

/** Runs a subscription that goes on from its cursors when the connection is lost, and tells of each message. */
export function resuming(client: LiveClient, params: FetcherParams, tell: (frame: Frame) => void): Stream {
  return {
    subscribe(observer) {
      const cursors = new Map<string, string>();
      let id = 0;
      let tries = 0;
      let over = false;
      let drop = () => {};
      const mark = (kind: string) => tell({ id: id++, channel: '', kind, bytes: 0 });
      const end = (how: () => void) => {
        if (over) return;
        over = true;
        mark('END');
        how();
      };
      const hear = (result: object) => {
        if (over) return;
        tries = 0;
        const frame = frameOf(result, id++);
        if (frame) tell(frame);
        if (frame?.cursor) cursors.set(frame.channel, frame.cursor);
        observer.next(result);
      };
      const lost = (event: unknown) => {
        if (over) return;
        if (Array.isArray(event) || isFinal(event)) return end(() => observer.error(event));
        mark('CUT');
        const timer = setTimeout(start, reconnectHint(event) ?? Math.min(500 * 2 ** tries++, 15_000));
        drop = () => clearTimeout(timer);
      };
      const start = () => {
        const { query, operationName } = params;
        drop = client.subscribe(
          { query, operationName, variables: after(params.variables as Variables, cursors) },
          { next: hear, error: lost, complete: () => end(() => observer.complete()) },
        );
      };
      start();
      return { unsubscribe: () => end(() => drop()) };
    },
  };
}

type Variables = Record<string, unknown> | undefined;

/** The variables with each channel asked for from where it was left. */
function after(variables: Variables, cursors: Map<string, string>): Variables {
  const channels = variables?.['channels'];
  if (!Array.isArray(channels)) return variables;
  const from = (c: { key: string }) => (cursors.has(c.key) ? { ...c, after: cursors.get(c.key) } : c);
  return { ...variables, channels: channels.map(from) };
}

/** What the first field of the root says, if it is a message of a channel. */
function frameOf(result: object, id: number): Frame | null {
  const [root, told] = Object.entries((result as { data?: Record<string, Told | null> | null }).data ?? {})[0] ?? [];
  if (!root || !told?.kind) return null;
  const { channel = root, kind, seq, firstSeq, cursor, error } = told;
  const bytes = new TextEncoder().encode(JSON.stringify(result)).length;
  const numbers = { ...(seq !== undefined && { seq }), ...(firstSeq !== undefined && { firstSeq }) };
  return { id, channel, kind, bytes, ...numbers, ...(cursor && { cursor }), ...(error && { code: error.code }) };
}
