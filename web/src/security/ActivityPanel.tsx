import { Button, Divider, Skeleton } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { dateTime } from '../format/time';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { MY_SECURITY_EVENTS, type SecurityEvent } from './operations';
import { eventWords } from './words';

/** What happened to the account lately, page after page below each other. */
export function ActivityPanel() {
  // Where each shown page begins; the first one at the newest.
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return (
    <Panel title="Recent activity" hint="What you did, and what was done to your account" data-testid="panel-activity">
      {pages.map((after, i) => (
        <ActivityPage
          key={after ?? ''}
          after={after}
          onMore={i === pages.length - 1 ? (end) => setPages([...pages, end]) : null}
        />
      ))}
    </Panel>
  );
}

interface PageProps {
  after: string | null;
  /** Shows the page that begins there; null when it is shown. */
  onMore: ((after: string) => void) | null;
}

function ActivityPage({ after, onMore }: PageProps) {
  const [{ data, error }, again] = useQuery({ query: MY_SECURITY_EVENTS, variables: { after }, requestPolicy: 'cache-and-network' });
  if (!data) {
    if (error) return <ProblemNote problem={problemOf(error)} onRetry={() => again({ requestPolicy: 'network-only' })} />;
    return <Skeleton h={120} />;
  }
  const { nodes, pageInfo } = data.mySecurityEvents;
  const { hasNextPage, endCursor } = pageInfo;
  if (nodes.length === 0 && !after) return <Empty title="Nothing yet" icon="security" />;
  return (
    <>
      {after && <Divider mb={8} color="var(--mantine-color-default-border)" />}
      <Rows label={after ? 'Earlier activity' : 'Newest activity'}>
        {nodes.map((event) => (
          <Row key={event.id} title={eventWords(event.kind)} detail={detail(event)} data-testid="activity" />
        ))}
      </Rows>
      {onMore && hasNextPage && endCursor && (
        <Button size="compact-sm" variant="default" mt="xs" onClick={() => onMore(endCursor)}>
          Show more
        </Button>
      )}
    </>
  );
}

function detail({ at, ip, own }: SecurityEvent): string {
  return [dateTime(at), own ? 'by you' : 'not by you', ip].filter(Boolean).join(' · ');
}
