import { sentence } from '../format/text';
import type { FlashMessage } from './operations';

/** A flash message as the page shows it. */
export interface Notice {
  /** Tells it from the others that are shown. */
  key: string;
  color: string;
  text: string;
  /** How long it stays by itself; null until it is closed, for what must not be missed. */
  staysMs: number | null;
  code: string;
}

const colors: Record<string, string> = { success: 'teal', info: 'lagoon', warning: 'yellow', error: 'red' };

/** What a page says of what happened before it. A server newer than this page may know more levels. */
export function noticeOf({ level, code, text, at }: FlashMessage, index: number): Notice {
  const passing = level === 'success' || level === 'info';
  return {
    key: `${at} ${code} ${index}`,
    color: (Object.hasOwn(colors, level) && colors[level]) || 'gray',
    text: sentence(text),
    staysMs: passing ? 12_000 : null,
    code,
  };
}
