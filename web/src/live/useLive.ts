import { useCallback, useEffect, useMemo, useSyncExternalStore } from 'react';

import { isSignedOut } from '../api/problem';
import { useSocket } from '../session/SocketProvider';
import { useSession } from '../session/viewer';
import { type Follower, follow, type LiveState } from './follow';
import type { ChannelInput } from './message';

/** Follows the channels while the component is shown. Another set of channels begins a new operation. */
export function useLive(channels: ChannelInput[]): LiveState & Pick<Follower, 'retry'> {
  const socket = useSocket();
  const key = JSON.stringify(channels);
  // The text is what counts: callers may build the same channels anew in each render.
  const follower = useMemo(() => follow(socket.client, JSON.parse(key) as ChannelInput[]), [socket, key]);
  const state = useSyncExternalStore(follower.subscribe, follower.state);
  const { recheck } = useSession();
  const signedOut = state.problem !== null && isSignedOut(state.problem);
  useEffect(() => {
    if (signedOut) recheck();
  }, [signedOut, recheck]);
  const retry = useCallback(() => follower.retry(), [follower]);
  return { ...state, retry };
}
