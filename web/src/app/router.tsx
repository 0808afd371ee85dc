// A dozen pages and their search parameters: no need for more than the browser's own history.
import { type AnchorHTMLAttributes, type MouseEvent, useSyncExternalStore } from 'react';

import { type Fragment, takeFragment, useFragment } from './fragment';

const moved = 'bb:moved';

function subscribe(listener: () => void): () => void {
  const moves = ['popstate', 'hashchange', moved];
  for (const move of moves) addEventListener(move, listener);
  return () => {
    for (const move of moves) removeEventListener(move, listener);
  };
}

// Before any listener of a page, and before the first page: none ever sees a secret in the address.
takeFragment();
subscribe(takeFragment);

/** Path of the page shown, without a slash at its end. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname.replace(/(.)\/$/, '$1'));
}

/** Search parameters of the page shown. */
export function useSearch(): URLSearchParams {
  return new URLSearchParams(useSyncExternalStore(subscribe, () => location.search));
}

/** What the address of the page shown held behind its #: it is no longer there. */
export function useSecrets(): Fragment {
  return useFragment(subscribe);
}

/** Shows another page. */
export function navigate(to: string): void {
  history.pushState(null, '', to);
  dispatchEvent(new Event(moved));
}

/** Another address for what is shown already: no step in the history. */
export function replace(to: string): void {
  if (to === location.pathname + location.search) return;
  history.replaceState(history.state, '', to);
  dispatchEvent(new Event(moved));
}

/** The address of a page with search parameters; absent ones are left out. */
export function href(path: string, search: Record<string, string | null | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) if (value) params.set(name, value);
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

/** A link within the console. With a modifier key or another window the browser does what it always does. */
export function Link({ href: to, onClick, ...props }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const go = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (props.target || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a href={to} onClick={go} {...props} />;
}
