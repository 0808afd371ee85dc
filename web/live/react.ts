// Live channels in a component.
import { useCallback, useLayoutEffect, useMemo, useSyncExternalStore } from 'react';

import { waiting } from './fold';
import { follow, type Follower, type LiveClient, type LiveState } from './follow';
import type { Asked, Named } from './message';

/**
 * Follows the channels while the component is shown. When they are others, only those that differ begin anew. The query is that of
 * [follow].
 */
export function useChannels<S extends Named, C extends Asked = Asked>(
  client: LiveClient,
  query: string,
  channels: readonly C[],
): LiveState<S> & Pick<Follower, 'retry'> {
  // The text is what counts: callers may build the same channels anew in each render.
  const text = JSON.stringify(channels);
  const followed = useMemo(() => {
    const asked = JSON.parse(text) as C[];
    // A change of the text alone makes no new follower: it is told below what is asked for now.
    return { follower: follow<S, C>(client, query, asked), asked: byKey(asked) };
  }, [client, query]);
  const { follower } = followed;
  const state = useSyncExternalStore(follower.subscribe, follower.state);

  useLayoutEffect(() => {
    const before = followed.asked;
    const now = byKey(JSON.parse(text) as C[]);
    followed.asked = now;
    follower.remove([...before.keys()].filter((key) => !now.has(key)));
    follower.add([...now.values()].filter((c) => !same(before.get(c.key), c)));
  }, [followed, follower, text]);

  const shown = useMemo(() => {
    const { asked } = followed;
    // Before the follower knows of a channel, what it has under that key is of another.
    const entries = (JSON.parse(text) as C[]).map((c) => [c.key, (same(asked.get(c.key), c) && state.channels[c.key]) || waiting] as const);
    return Object.fromEntries<LiveState<S>['channels'][string]>(entries);
  }, [followed, state, text]);
  const retry = useCallback(() => follower.retry(), [follower]);
  return { ...state, channels: shown, retry };
}

function byKey<C extends Asked>(channels: readonly C[]): Map<string, C> {
  return new Map(channels.map((c) => [c.key, c]));
}

function same(a: Asked | undefined, b: Asked): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
