import 'graphiql/style.css';
import './workers';

import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { Group, useComputedColorScheme } from '@mantine/core';
import { GraphiQL } from 'graphiql';
import { getOperationAST, GraphQLError } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { useEffect, useMemo, useRef, useState } from 'react';

import { useSession } from '../session/viewer';
import { AskAs } from './AskAs';
import { CostNote } from './CostNote';
import { firstTabs } from './examples';
import { ExamplesMenu } from './ExamplesMenu';
import classes from './ExplorerPage.module.css';
import { type Frames, resuming, withFrame } from './frames';
import { FramesPane } from './FramesPane';
import { fetchAs, type Identity, leave, ownSession } from './identity';
import { reading } from './operation';
import { explorerStorage } from './storage';
import { type Trace, traced } from './trace';
import { TracePane } from './TracePane';

/** Any JSON is fine for the scalar JSON: the server's rules go beyond what the editor can check. */
const scalars = { JSON: {}, JSONSchema: {}, Time: { type: 'string' as const } };

const unheard = { errors: [new GraphQLError('A browser opens no socket without its cookies: choose somebody to follow as.')] };

export default function ExplorerPage() {
  const { viewer } = useSession();
  const scheme = useComputedColorScheme('light');
  const [trace, setTrace] = useState<Trace | null>(null);
  const [on, setOn] = useState(false);
  const [frames, setFrames] = useState<Frames>({});
  const [identity, setIdentity] = useState<Identity>(ownSession);
  const ask = useMemo(() => fetchAs(identity), [identity]);
  const client = useSocketAs(identity);
  // What changes under the fetcher. It stays the same itself: another would have the editor ask for the schema anew.
  const now = useRef({ traced: false, ask, client, identity });
  useEffect(() => {
    Object.assign(now.current, { ask, client, identity });
  }, [ask, client, identity]);
  const fetcher = useMemo(() => {
    const http = createGraphiQLFetcher({ url: '/graphql', fetch: (input, init) => now.current.ask(input, init) });
    const follow: Fetcher = (params) => {
      const { client, identity } = now.current;
      setFrames({});
      if (!client || identity.kind === 'nobody') return Promise.resolve(unheard);
      const stream = resuming(client, params, (frame) => setFrames((frames) => withFrame(frames, frame)));
      return stream as ReturnType<Fetcher>;
    };
    return reading(traced(bySort(http, follow), () => now.current.traced, setTrace));
  }, []);
  const turn = (to: boolean) => {
    now.current.traced = to;
    setOn(to);
    setTrace(null);
  };
  const [storage] = useState(() =>
    explorerStorage(viewer.user.id, () => document.documentElement.dataset['mantineColorScheme'] ?? 'light'),
  );
  return (
    <div className={classes.page} data-testid="explorer">
      <GraphiQL
        fetcher={fetcher}
        storage={storage}
        defaultTabs={firstTabs}
        forcedTheme={scheme}
        customScalarSchemas={scalars}
        // What is typed there may be a token, and storage outlives the session.
        shouldPersistHeaders={false}
        showPersistHeadersSettings={false}
        defaultEditorToolsVisibility="variables"
      >
        <GraphiQL.Logo>
          <span />
        </GraphiQL.Logo>
        <GraphiQL.Toolbar>
          {({ prettify, merge, copy }) => (
            <>
              {prettify}
              {merge}
              {copy}
              <ExamplesMenu />
            </>
          )}
        </GraphiQL.Toolbar>
        <GraphiQL.Footer>
          <CostNote ask={ask} />
        </GraphiQL.Footer>
      </GraphiQL>
      <FramesPane frames={frames} cut={() => client?.terminate()} close={() => setFrames({})} />
      <Group className={classes.pane} gap="md" px="md" wrap="nowrap" align="flex-start">
        <Group py={6}>
          <AskAs me={viewer.user.name} identity={identity} change={setIdentity} />
        </Group>
        {viewer.permissions.includes('system.health.read') && <TracePane on={on} turn={turn} trace={trace} />}
      </Group>
    </div>
  );
}

/** Sends subscriptions one way and everything else the other. */
function bySort(http: Fetcher, follow: Fetcher): Fetcher {
  return (params, options) => {
    const operation = options?.documentAST && getOperationAST(options.documentAST, params.operationName);
    return operation?.operation === 'subscription' ? follow(params, options) : http(params, options);
  };
}

/**
 * A socket for the explorer alone, which may ask as somebody else and be cut. It opens with the first subscription. It does not come
 * back by itself: what follows over it knows better where to go on.
 */
function useSocketAs(identity: Identity): Client | null {
  const [client, setClient] = useState<Client | null>(null);
  useEffect(() => {
    const opened = createClient({
      url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
      retryAttempts: 0,
      connectionParams: identity.kind === 'other' ? { authorization: `Bearer ${identity.token}` } : {},
    });
    setClient(opened);
    return () => {
      void opened.dispose();
      void leave(identity);
    };
  }, [identity]);
  return client;
}
