// Where somebody goes after signing in: they may have been sent to the way in from the middle of something.
import { doors } from '../app/pages';

/** The way in for somebody who is signed in already and has to be so anew, with the way back to the page shown. */
export function wayInFrom(path: string, search: string): string {
  return `/sign-in?${new URLSearchParams({ anew: '1', to: search ? `${path}?${search}` : path }).toString()}`;
}

/** The page of this console that an address of the way in leads back to; null for none, or for a place that is not ours. */
export function wayBack(search: { get(name: string): string | null }): string | null {
  const to = search.get('to');
  // A browser reads `//host` and `/\host` as another server, and drops tabs and line breaks before it looks.
  if (!to || !/^\/(?![/\\])[^\s\\]*$/.test(to)) return null;
  const path = to.replace(/[?#].*$/, '');
  return doors.some((door) => door.path === path && !door.stays) ? null : to;
}
