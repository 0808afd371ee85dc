// How the history's differences are shown. Pure.

export interface DiffRow {
  path: string;
  word: 'Added' | 'Removed' | 'Changed';
  color: 'teal' | 'red' | 'yellow';
  /** JSON; empty where there was none. */
  before: string;
  after: string;
}

interface Difference {
  pointer: string;
  op: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

const words: Record<string, Pick<DiffRow, 'word' | 'color'>> = {
  add: { word: 'Added', color: 'teal' },
  remove: { word: 'Removed', color: 'red' },
};

/** The differences as rows of a table. */
export function diffRows(differences: Difference[]): DiffRow[] {
  return differences.map(({ pointer, op, before, after }) => ({
    path: pointer === '' ? 'The whole' : pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~'),
    ...(words[op] ?? { word: 'Changed', color: 'yellow' }),
    before: text(before),
    after: text(after),
  }));
}

/** The values come in an object, so that null is told from nothing. */
function text(held: Record<string, unknown> | null): string {
  return held && 'value' in held ? JSON.stringify(held['value'], null, 2) : '';
}
