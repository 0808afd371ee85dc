/** The first letters of the first and the last word of a name, for an avatar. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => [...(word ?? '')][0]?.toUpperCase() ?? '').join('') || '?';
}

/** A number of things: `1 flight`, `2 flights`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${new Intl.NumberFormat('en').format(n)} ${n === 1 ? one : many}`;
}

/** What the server says, as a sentence: its messages begin small and end without a stop. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;
}

/** A key such as `registry.documents` or `aboutPlace` as a reader's words: `Registry documents`, `About place`. */
export function humanize(key: string): string {
  const words = key.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`).replace(/[._-]+/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
