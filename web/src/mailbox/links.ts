/** A piece of a text: words, or a link with where it leads. */
export type Piece = { text: string } | { text: string; href: string; inside: boolean };

// A stop or a bracket at its end is the sentence's, not the link's.
const link = /https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]]/g;

/**
 * Cuts a text at its links. Those that lead to a page of ours become paths: the mails name the public address of the site,
 * which in development may be another than the one it is looked at by.
 */
export function pieces(text: string, origin: string, ours: string[]): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(link)) {
    if (match.index > from) found.push({ text: text.slice(from, match.index) });
    found.push(target(match[0], origin, ours));
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

function target(text: string, origin: string, ours: string[]): Piece {
  if (!URL.canParse(text)) return { text };
  const url = new URL(text);
  const inside = url.origin === origin || ours.includes(url.pathname);
  return { text, inside, href: inside ? url.pathname + url.search + url.hash : url.href };
}
