import { Center, Loader } from '@mantine/core';
import { type ReactNode, useCallback, useEffect, useMemo, useReducer, useState } from 'react';
import { flushSync } from 'react-dom';
import { Provider, useQuery } from 'urql';

import type { Ended } from '../api/ended';
import { createHttp } from '../api/http';
import { problemOf } from '../api/problem';
import { navigate } from '../app/router';
import { ProblemNote } from '../ui/ProblemNote';
import { FlashNotices } from './FlashNotices';
import { joinTabs } from './otherTabs';
import { VISIT, type Viewer, VisitContext } from './viewer';

const tabs = joinTabs();

/** Finds out who is looking before it shows its children. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [generation, next] = useReducer((n: number) => n + 1, 0);
  const changed = useCallback((to?: string) => {
    // At once, or the other page would be shown to who was signed in before.
    flushSync(next);
    if (to) navigate(to);
    tabs.tell();
  }, []);
  // A new generation is a new gate with a new client, whose cache is empty.
  return (
    <Gate key={generation} changed={changed} switched={next}>
      {children}
    </Gate>
  );
}

/** A client, and a way to ask once more who is signed in: the door sees the answer. No loop, for `me` needs no session. */
function connect() {
  let told: Ended = 'unknown';
  const recheck = (why?: Ended) => {
    if (why) told = why;
    void client.query(VISIT, {}, { requestPolicy: 'network-only' }).toPromise();
  };
  const client = createHttp(() => recheck());
  return { client, recheck, why: () => told };
}

interface GateProps {
  changed: (to?: string) => void;
  /** To be called when somebody else is signed in than this page was made for. */
  switched: () => void;
  children: ReactNode;
}

function Gate({ children, ...props }: GateProps) {
  const [{ client, recheck, why }] = useState(connect);
  return (
    <Provider value={client}>
      <Door recheck={recheck} why={why} {...props}>
        {children}
      </Door>
    </Provider>
  );
}

interface DoorProps extends GateProps {
  recheck: (why?: Ended) => void;
  why: () => Ended;
}

function Door({ changed, switched, recheck, why, children }: DoorProps) {
  const [{ data, error }, ask] = useQuery({ query: VISIT, requestPolicy: 'network-only' });
  const [last, setLast] = useState<Viewer | null>(null);
  if (data?.me && data.me !== last) setLast(data.me);
  const visit = useMemo(() => {
    if (!data) return null;
    const actedAs = last?.impersonatedBy ? last.user.name : null;
    const ended = last && !data.me ? { why: why(), actedAs } : null;
    return { viewer: data.me, settings: data.authSettings, ended, changed, recheck };
  }, [data, last, why, changed, recheck]);

  // Another tab has signed in anew, or acts as somebody else: what this one has read belongs to another session.
  const session = data?.me?.session?.id;
  const [first, setFirst] = useState(session);
  if (session && !first) setFirst(session);
  const other = session !== undefined && first !== undefined && session !== first;
  useEffect(() => {
    if (other) switched();
  }, [other, switched]);
  useEffect(() => tabs.hear(() => recheck()), [recheck]);

  if (visit) {
    return (
      <VisitContext value={visit}>
        {children}
        <FlashNotices />
      </VisitContext>
    );
  }
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
