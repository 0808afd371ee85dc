// The differences of a catalogue, as the server tells them: each begins with a sign.

export type Sign = '+' | '~' | '-';

export interface Change {
  sign: Sign | null;
  text: string;
}

export function change(line: string): Change {
  const sign = line.charAt(0);
  return sign === '+' || sign === '~' || sign === '-' ? { sign, text: line.slice(1).trim() } : { sign: null, text: line };
}

export const signs: Record<Sign, { color: string; word: string }> = {
  '+': { color: 'teal', word: 'new' },
  '~': { color: 'orange', word: 'changes' },
  '-': { color: 'red', word: 'goes' },
};
