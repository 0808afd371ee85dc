import { Button, Group, Skeleton } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { ProblemNote } from '../ui/ProblemNote';
import { EventTable } from './EventTable';
import { type EventFilter, EVENTS } from './operations';

/** The stored events that pass the filter, a page at a time, those that happened last first. */
export function StoredEvents({ filter }: { filter: EventFilter }) {
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error }, again] = useQuery({ query: EVENTS, variables: { filter, after }, requestPolicy: 'network-only' });
  if (error) return <ProblemNote problem={problemOf(error)} onRetry={again} />;
  if (!data) return <Skeleton h={320} />;
  const { nodes, pageInfo } = data.events;
  return (
    <>
      <EventTable events={nodes} />
      <Group gap="xs">
        {after && (
          <Button size="compact-sm" variant="default" onClick={() => setAfter(null)}>
            Newest
          </Button>
        )}
        {pageInfo.hasNextPage && (
          <Button size="compact-sm" variant="default" onClick={() => setAfter(pageInfo.endCursor)}>
            Older
          </Button>
        )}
      </Group>
    </>
  );
}
