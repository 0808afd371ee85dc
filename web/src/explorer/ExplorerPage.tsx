import 'graphiql/style.css';
import './workers';

import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { useComputedColorScheme } from '@mantine/core';
import { GraphiQL } from 'graphiql';
import { useMemo, useRef, useState } from 'react';

import { useSocket } from '../session/SocketProvider';
import { useSession } from '../session/viewer';
import { examples } from './examples';
import classes from './ExplorerPage.module.css';
import { reading } from './operation';
import { explorerStorage } from './storage';
import { type Trace, traced } from './trace';
import { TracePane } from './TracePane';

/** Any JSON is fine for the scalar JSON: the server's rules go beyond what the editor can check. */
const scalars = { JSON: {}, JSONSchema: {}, Time: { type: 'string' as const } };

export default function ExplorerPage() {
  const { client } = useSocket();
  const { viewer } = useSession();
  const scheme = useComputedColorScheme('light');
  // Queries carry the session's cookie as every request to this origin does; subscriptions share the page's socket.
  const [trace, setTrace] = useState<Trace | null>(null);
  const [on, setOn] = useState(false);
  const wanted = useRef(false); // the fetcher stays the same: another would have the editor ask for the schema anew
  const fetcher = useMemo(
    () => reading(traced(createGraphiQLFetcher({ url: '/graphql', wsClient: client }), () => wanted.current, setTrace)),
    [client],
  );
  const turn = (to: boolean) => {
    wanted.current = to;
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
        defaultTabs={examples}
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
      </GraphiQL>
      {viewer.permissions.includes('system.health.read') && <TracePane on={on} turn={turn} trace={trace} />}
    </div>
  );
}
