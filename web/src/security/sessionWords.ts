// What a list says of a session, beyond its name.
import { ago, ahead, date } from '../format/time';
import type { Session } from '../session/fragments';
import { methodWords } from './words';

const unknownClient = 'Unknown device';

/** What a session is called: as its owner named it, or as its device calls itself. */
export function sessionName({ label, client }: Pick<Session, 'label' | 'client'>): string {
  return label || client || unknownClient;
}

/** From where, and when it was last used: `Firefox on Linux · 203.0.113.7 · Leipzig, Germany · last seen 5 min ago`. */
export function whereabouts(session: Session, nowMs: number): string {
  const { label, client, ip, place, lastSeenAt } = session;
  return [label && (client || unknownClient), ip, place, `last seen ${ago(lastSeenAt, nowMs)}`].filter(Boolean).join(' · ');
}

/** How it began: `Signed in 2 Jan 2026 by password`. */
export function beginning({ createdAt, methods, impersonated }: Session): string {
  if (impersonated) return `Began ${date(createdAt)}`;
  const how = methodWords(methods);
  return `Signed in ${date(createdAt)}${how && ` by ${how}`}`;
}

/** How long it lasts: `stays signed in, ends in 14 days unless used`. */
export function lasting({ remembered, impersonated, idleUntil, expiresAt }: Session, nowMs: number): string {
  const idles = Date.parse(idleUntil) < Date.parse(expiresAt);
  const end = idles ? `ends ${ahead(idleUntil, nowMs)} unless used` : `ends ${ahead(expiresAt, nowMs)}`;
  if (impersonated) return end;
  return `${remembered ? 'stays signed in' : 'for the day'}, ${end}`;
}
