import { Center, Loader } from '@mantine/core';
import { type ReactNode, useMemo, useReducer, useState } from 'react';
import { Provider, useQuery } from 'urql';

import { createHttp } from '../api/http';
import { problemOf } from '../api/problem';
import { ProblemNote } from '../ui/ProblemNote';
import { SignInPage } from './SignInPage';
import { SocketProvider } from './SocketProvider';
import { SessionContext, VIEWER } from './viewer';

/** Shows its children to a signed-in user, and everybody else the way in. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [generation, changed] = useReducer((n: number) => n + 1, 0);
  // A new generation is a new gate with a new client, whose cache is empty.
  return (
    <Gate key={generation} changed={changed}>
      {children}
    </Gate>
  );
}

/** A client, and a way to ask once more who is signed in: the door sees the answer. No loop, for `me` needs no session. */
function connect() {
  const recheck = () => void client.query(VIEWER, {}, { requestPolicy: 'network-only' }).toPromise();
  const client = createHttp(recheck);
  return { client, recheck };
}

interface GateProps {
  changed: () => void;
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
  const [{ data, error, fetching }, ask] = useQuery({ query: VIEWER, requestPolicy: 'network-only' });
  const [wasIn, setWasIn] = useState(false);
  const viewer = data?.me;
  if (viewer && !wasIn) setWasIn(true);
  const session = useMemo(() => (viewer ? { viewer, changed, recheck } : null), [viewer, changed, recheck]);
  if (session) {
    return (
      <SessionContext value={session}>
        <SocketProvider key={session.viewer.session.id}>{children}</SocketProvider>
      </SessionContext>
    );
  }
  if (error) {
    return (
      <Center mih="100dvh" p="md">
        <ProblemNote problem={problemOf(error)} onRetry={ask} maw={440} />
      </Center>
    );
  }
  if (fetching) {
    return (
      <Center mih="100dvh">
        <Loader type="dots" aria-label="Loading" />
      </Center>
    );
  }
  return <SignInPage ended={wasIn} onSignedIn={changed} />;
}
