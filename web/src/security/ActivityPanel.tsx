import { Button, Divider, Skeleton } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { dateTime } from '../format/time';
import type { SecurityEvent } from '../session/fragments';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { apart, withNews } from './activity';
import { MY_SECURITY_EVENTS } from './operations';
import { eventsShown } from './useOwn';
import { eventWords } from './words';

/** What happened to the account lately, page after page below each other. news: what has come since, null while nobody tells. */
export function ActivityPanel({ news }: { news: SecurityEvent[] | null }) {
  // Where each shown page begins; the first one at the newest.
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return (
    <Panel title="Recent activity" hint="What you did, and what was done to your account" data-testid="panel-activity">
      {pages.map((after, i) => (
        <ActivityPage
          key={after ?? ''}
          after={after}
          news={i === 0 ? (news ?? none) : none}
          onMore={i === pages.length - 1 ? (end) => setPages([...pages, end]) : null}
          onGap={() => setPages([null])}
        />
      ))}
    </Panel>
  );
}

const none: SecurityEvent[] = [];

interface PageProps {
  after: string | null;
  news: SecurityEvent[];
  /** Shows the page that begins there; null when it is shown. */
  onMore: ((after: string) => void) | null;
  /** To be called when what was read does not reach to the news: only the newest page can be right. */
  onGap: () => void;
}

function ActivityPage({ after, news, onMore, onGap }: PageProps) {
  const [{ data, error, fetching }, again] = useQuery({
    query: MY_SECURITY_EVENTS,
    variables: { first: eventsShown, after },
    requestPolicy: 'cache-and-network',
  });
  // The fact that shows it. Once for each: a server that does not know of it yet is not asked again and again.
  const gap = !fetching && data && apart(data.mySecurityEvents.nodes, news) ? news[0]?.id : undefined;
  const asked = useRef<string>(undefined);
  useEffect(() => {
    if (!gap || gap === asked.current) return;
    asked.current = gap;
    onGap();
    again({ requestPolicy: 'network-only' });
    // The two are made anew in each render; the gap alone is a reason to act.
  }, [gap]);
  if (!data) {
    if (error) return <ProblemNote problem={problemOf(error)} onRetry={() => again({ requestPolicy: 'network-only' })} />;
    return <Skeleton h={120} />;
  }
  const { nodes, pageInfo } = data.mySecurityEvents;
  const { hasNextPage, endCursor } = pageInfo;
  const all = withNews(nodes, news);
  const only = onMore !== null && after === null;
  const shown = only ? all.slice(0, eventsShown) : all;
  if (shown.length === 0) return after ? null : <Empty title="Nothing yet" icon="security" />;
  return (
    <>
      {after && <Divider mb={8} color="var(--mantine-color-default-border)" />}
      <Rows label={after ? 'Earlier activity' : 'Newest activity'}>
        {shown.map((event) => (
          <Row key={event.id} title={eventWords(event.kind)} detail={detail(event)} data-testid="activity" />
        ))}
      </Rows>
      {onMore && (hasNextPage || shown.length < all.length) && endCursor && (
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
