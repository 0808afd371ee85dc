import { Button, Group, Skeleton } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { Icon } from '../ui/Icon';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Rows } from '../ui/Rows';
import { USERS } from './operations';
import { UserRow } from './UserRow';

const size = 10;

/** Everybody with an account, by name. */
export function UsersPanel({ writable, acts }: { writable: boolean; acts: boolean }) {
  const [page, setPage] = useState<{ first?: number; after?: string | null; last?: number; before?: string | null }>({ first: size });
  const [{ data, error, fetching }, again] = useQuery({ query: USERS, variables: page, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  const info = data?.users.pageInfo;
  return (
    <Panel title="Users" hint="By name" data-testid="panel-users">
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={220} />}
      <Rows label="Users">
        {data?.users.nodes.map((user) => (
          <UserRow key={user.id} user={user} writable={writable} acts={acts} reload={reload} />
        ))}
      </Rows>
      {(info?.hasPreviousPage || info?.hasNextPage) && (
        <Group justify="flex-end" gap="xs" mt="sm">
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<Icon name="back" size={14} />}
            disabled={!info.hasPreviousPage || fetching}
            onClick={() => setPage({ last: size, before: info.startCursor })}
          >
            Previous
          </Button>
          <Button
            size="compact-sm"
            variant="default"
            rightSection={<Icon name="forward" size={14} />}
            disabled={!info.hasNextPage || fetching}
            onClick={() => setPage({ first: size, after: info.endCursor })}
          >
            Next
          </Button>
        </Group>
      )}
    </Panel>
  );
}
