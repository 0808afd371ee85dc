import 'graphiql/style.css';
import './workers';

import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { useComputedColorScheme } from '@mantine/core';
import { GraphiQL } from 'graphiql';
import { useMemo } from 'react';

import { useSocket } from '../session/SocketProvider';
import { examples } from './examples';
import classes from './ExplorerPage.module.css';

/** Any JSON is fine for the scalar JSON: the server's rules go beyond what the editor can check. */
const scalars = { JSON: {}, JSONSchema: {}, Time: { type: 'string' as const } };

export default function ExplorerPage() {
  const { client } = useSocket();
  const scheme = useComputedColorScheme('light');
  // Queries carry the session's cookie as every request to this origin does; subscriptions share the page's socket.
  const fetcher = useMemo(() => createGraphiQLFetcher({ url: '/graphql', wsClient: client }), [client]);
  return (
    <div className={classes.page} data-testid="explorer">
      <GraphiQL
        fetcher={fetcher}
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
    </div>
  );
}
