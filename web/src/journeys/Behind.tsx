import { Anchor, Button, Drawer, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, Link } from '../app/router';
import { plural } from '../format/text';
import { dateTime } from '../format/time';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { BEHIND, type BehindInput } from './operations';

interface Props {
  title: string;
  input: BehindInput;
  onClose: () => void;
}

/** Who is behind a number. */
export function Behind({ title, input, onClose }: Props) {
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error, fetching }, again] = useQuery({ query: BEHIND, variables: { input, after }, requestPolicy: 'network-only' });
  const bySession = 'funnel' in input && input.funnel.funnel.unit === 'SESSION';
  return (
    <Drawer opened onClose={onClose} position="right" size="md" title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack data-testid="behind">
        {error && <ProblemNote problem={problemOf(error)} onRetry={again} />}
        {!data && !error && <Skeleton h={240} />}
        {data?.behind.nodes.length === 0 && <Text size="sm">Nobody</Text>}
        {data && (
          <Rows label={title}>
            {data.behind.nodes.map((n) => (
              <Row
                key={n.id}
                title={
                  <Anchor component={Link} size="sm" href={href('/events', { [bySession ? 'session' : 'actor']: n.id })}>
                    {n.id}
                  </Anchor>
                }
                detail={`${plural(n.events, 'event')}, ${dateTime(n.first)} up to ${dateTime(n.last)}`}
              />
            ))}
          </Rows>
        )}
        {data?.behind.pageInfo.hasNextPage && (
          <Button variant="default" size="compact-sm" loading={fetching} onClick={() => setAfter(data.behind.pageInfo.endCursor)}>
            Next
          </Button>
        )}
      </Stack>
    </Drawer>
  );
}
