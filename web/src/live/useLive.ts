import { useChannels } from '@backendbook/live/react';
import { stringifyDocument } from '@urql/core';
import { useEffect, useMemo } from 'react';

import { isSignedOut, type Problem, problemOf } from '../api/problem';
import { useSocket } from '../session/SocketProvider';
import { useSession } from '../session/viewer';
import { type Channel, type ChannelInput, LIVE, type State } from './message';

/** What a page shows of its channels. */
export interface LiveState {
  channels: Readonly<Record<string, Channel>>;
  /** Why there is no stream; null while there is one, or one is on its way. */
  problem: Problem | null;
}

const query = stringifyDocument(LIVE);

/** Follows the channels while the component is shown, over the page's socket. */
export function useLive(asked: ChannelInput[]): LiveState & { retry: () => void } {
  const { client } = useSocket();
  const { channels, failure, retry } = useChannels<State, ChannelInput>(client, query, asked);
  const problem = useMemo(() => (failure === null ? null : problemOf(failure)), [failure]);
  const { recheck } = useSession();
  const signedOut = problem !== null && isSignedOut(problem);
  useEffect(() => {
    if (signedOut) recheck();
  }, [signedOut, recheck]);
  return { channels, problem, retry };
}
