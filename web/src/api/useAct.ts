import type { TypedDocumentNode } from '@urql/core';
import { useContext, useState } from 'react';
import { type AnyVariables, useClient } from 'urql';

import { type Problem, problemOf } from './problem';
import { ConfirmContext, withReauth } from './reauth';

/**
 * A mutation with what a form needs of it: whether it runs, what it failed with, and its answer, which is null when it
 * failed or the person declined to show who they are.
 */
export function useAct<Data, Variables extends AnyVariables>(document: TypedDocumentNode<Data, Variables>) {
  const client = useClient();
  const confirm = useContext(ConfirmContext);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Problem | null>(null);

  /** Runs it; a failure may be told to somebody else. */
  const run = async (variables: Variables, tell: (failure: Problem | null) => void = setFailure): Promise<Data | null> => {
    setBusy(true);
    tell(null);
    const send = () => client.mutation(document, variables).toPromise();
    const answer = await (confirm ? withReauth(send, confirm) : send());
    setBusy(false);
    if (answer?.error) tell(problemOf(answer.error));
    return answer?.error ? null : (answer?.data ?? null);
  };

  return { run, busy, failure, setFailure };
}
