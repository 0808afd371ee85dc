import { useEffect, useState } from 'react';
import { useClient } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { type ChangePreview, PREVIEW, type PreviewInput } from './operations';

interface State {
  /** Null while there is none, or not yet one of what is asked for. */
  preview: ChangePreview | null;
  problem: Problem | null;
}

const asking: State = { preview: null, problem: null };

/**
 * Asks what a change would be, each time that something else is asked for. Not a query that the cache keeps: it would be asked
 * again, for nothing, by the very change it tells of.
 */
export function usePreview(input: PreviewInput): State & { again: () => void } {
  const client = useClient();
  const [state, setState] = useState(asking);
  const [round, setRound] = useState(0);
  const key = JSON.stringify(input);
  useEffect(() => {
    let ours = true;
    setState(asking);
    const variables = { input: JSON.parse(key) as PreviewInput };
    void client
      .query(PREVIEW, variables, { requestPolicy: 'network-only' })
      .toPromise()
      .then(({ data, error }) => {
        if (ours) setState({ preview: (!error && data?.previewChange) || null, problem: error ? problemOf(error) : null });
      });
    return () => {
      ours = false;
    };
  }, [client, key, round]);
  return { ...state, again: () => setRound(round + 1) };
}
