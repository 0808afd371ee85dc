import { Button, Group, Skeleton } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { CreateKey } from '../keys/CreateKey';
import { KeyRows } from '../keys/KeyRows';
import { MY_KEYS } from '../keys/operations';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';

/** Keys by which programs use the API in the user's name. */
export function KeysPanel() {
  const [after, setAfter] = useState<string | null>(null);
  const [making, setMaking] = useState(false);
  const [{ data, error }, again] = useQuery({ query: MY_KEYS, variables: { after }, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  const page = data?.myAccessKeys;
  return (
    <Panel
      title="Access keys"
      hint="For programs that use the API in your name"
      data-testid="panel-keys"
      aside={
        <Button size="compact-sm" variant="light" onClick={() => setMaking(true)}>
          New key
        </Button>
      }
    >
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={80} />}
      {page?.nodes.length === 0 && <Empty title="No access keys" icon="access" />}
      {page && <KeyRows keys={page.nodes} reload={reload} />}
      <Group gap="xs">
        {after && (
          <Button size="compact-sm" variant="default" onClick={() => setAfter(null)}>
            Newest
          </Button>
        )}
        {page?.pageInfo.hasNextPage && (
          <Button size="compact-sm" variant="default" onClick={() => setAfter(page.pageInfo.endCursor)}>
            Older
          </Button>
        )}
      </Group>
      {making && <CreateKey owner={null} onClose={() => setMaking(false)} onMade={reload} />}
    </Panel>
  );
}
