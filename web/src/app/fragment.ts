// What stands behind the # of an address. Mails and the callback of a provider put secrets there, for it is sent to no
// server; it is taken out of the address bar at once and lives on in memory, until another page is shown.
import { useSyncExternalStore } from 'react';

export interface Fragment {
  /** Counts what was taken, so that a page can begin anew with each. 0 when there is nothing. */
  serial: number;
  /** The value of the name; null when there is none. */
  get(name: string): string | null;
}

interface Place {
  pathname: string;
  search: string;
  hash: string;
}

const nothing: Fragment = { serial: 0, get: () => null };

/** Reads `#name=value&…`. An anchor such as `#top` holds nothing. */
export function parseFragment(hash: string, serial: number): Fragment {
  const values = new URLSearchParams(hash.replace(/^#/, ''));
  const named = [...values].some(([, value]) => value !== '');
  return named ? { serial, get: (name) => values.get(name) || null } : nothing;
}

/** Keeps the fragment of the page shown. replace puts another address into the bar, without a step in the history. */
export function createFragments(place: () => Place, replace: (to: string) => void) {
  let held = nothing;
  let heldFor = '';
  let serial = 0;
  return {
    /** To be called whenever the address may have changed. */
    take(): void {
      const { pathname, search, hash } = place();
      if (hash) {
        held = parseFragment(hash, ++serial);
        heldFor = pathname;
        replace(pathname + search);
      } else if (pathname !== heldFor) {
        held = nothing;
      }
    },
    held: () => held,
  };
}

const fragments = createFragments(
  () => location,
  (to) => history.replaceState(history.state, '', to),
);

export const takeFragment = fragments.take;

/** What the address of the page shown held behind its #. */
export function useFragment(subscribe: (listener: () => void) => () => void): Fragment {
  return useSyncExternalStore(subscribe, fragments.held);
}
