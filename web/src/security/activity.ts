// The newest page of what happened: as it was read, with what has come since.
import { newestFirst } from '@backendbook/live';

interface Fact {
  id: string;
}

/** The page with the news, the newest first. */
export function withNews<T extends Fact>(read: readonly T[], news: readonly T[]): T[] {
  return newestFirst([...read, ...news]);
}

/** Whether more may have happened between what was read and what came since, the newest first both: then it has to be read anew. */
export function apart(read: readonly Fact[], news: readonly Fact[]): boolean {
  const [last] = read;
  const [newest] = news;
  if (!last || !newest || newest.id <= last.id) return false;
  const known = new Set(read.map((e) => e.id));
  return !news.some((e) => known.has(e.id));
}
