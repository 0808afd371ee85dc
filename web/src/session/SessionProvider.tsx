import { Center, Loader } from '@mantine/core';
import { type ReactNode, useCallback, useMemo, useReducer, useState } from 'react';
import { flushSync } from 'react-dom';
import { Provider, useQuery } from 'urql';

import { createHttp } from '../api/http';
import { problemOf } from '../api/problem';
import { navigate } from '../app/router';
import { ProblemNote } from '../ui/ProblemNote';
import { VISIT, VisitContext } from './viewer';

/** Finds out who is looking before it shows its children. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [generation, next] = useReducer((n: number) => n + 1, 0);
  const changed = useCallback((to?: string) => {
    // At once, or the other page would be shown to who was signed in before.
    flushSync(next);
    if (to) navigate(to);
  }, []);
  // A new generation is a new gate with a new client, whose cache is empty.
  return (
    <Gate key={generation} changed={changed}>
      {children}
    </Gate>
  );
}

/** A client, and a way to ask once more who is signed in: the door sees the answer. No loop, for `me` needs no session. */
function connect() {
  const recheck = () => void client.query(VISIT, {}, { requestPolicy: 'network-only' }).toPromise();
  const client = createHttp(recheck);
  return { client, recheck };
}

interface GateProps {
  changed: (to?: string) => void;
  children: ReactNode;
}

function Gate({ changed, children }: GateProps) {
  const [{ client, recheck }] = useState(connect);
  return (
    <Provider value={client}>
      <Door changed={changed} recheck={recheck}>
        {children}
      </Door>
    </Provider>
  );
}

function Door({ changed, recheck, children }: GateProps & { recheck: () => void }) {
  const [{ data, error }, ask] = useQuery({ query: VISIT, requestPolicy: 'network-only' });
  const [wasIn, setWasIn] = useState(false);
  if (data?.me && !wasIn) setWasIn(true);
  const visit = useMemo(() => {
    if (!data) return null;
    return { viewer: data.me, settings: data.authSettings, ended: wasIn && !data.me, changed, recheck };
  }, [data, wasIn, changed, recheck]);
  if (visit) return <VisitContext value={visit}>{children}</VisitContext>;
  if (error) {
    return (
      <Center mih="100dvh" p="md">
        <ProblemNote problem={problemOf(error)} onRetry={ask} maw={440} />
      </Center>
    );
  }
  return (
    <Center mih="100dvh">
      <Loader type="dots" aria-label="Loading" />
    </Center>
  );
}
