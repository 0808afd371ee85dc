import { Anchor, Button, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useClient, useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { href, Link } from '../app/router';
import { humanize } from '../format/text';
import { ProblemNote } from '../ui/ProblemNote';
import { type BacklinkPage, BACKLINKS, listed } from './operations';

/** What points at a document: a first page, more on demand. */
export function Backlinks({ id }: { id: string }) {
  const client = useClient();
  const [{ data, error }, again] = useQuery({ query: BACKLINKS, variables: { to: id }, requestPolicy: 'cache-and-network', context: listed });
  const [more, setMore] = useState<BacklinkPage[]>([]);
  const [loading, setLoading] = useState(false);
  const [failure, setFailure] = useState<Problem | null>(null);
  if (error && !data) return <ProblemNote problem={problemOf(error)} onRetry={again} />;
  if (!data) return <Skeleton h={40} />;
  const pages = [data.backlinks, ...more];
  const { hasNextPage, endCursor } = (more.at(-1) ?? data.backlinks).pageInfo;

  const load = async () => {
    setLoading(true);
    const answer = await client.query(BACKLINKS, { to: id, after: endCursor }).toPromise();
    setLoading(false);
    setFailure(answer.error ? problemOf(answer.error) : null);
    const page = answer.data?.backlinks;
    if (page) setMore([...more, page]);
  };

  const links = pages.flatMap((p) => p.nodes);
  if (links.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing yet
      </Text>
    );
  }
  return (
    <Stack gap={8} align="flex-start" data-testid="backlinks">
      {links.map(({ from, path }) => (
        <div key={`${from.id} ${path}`}>
          <Anchor component={Link} size="sm" href={href('/documents', { type: from.type.key, open: from.id })}>
            {from.label}
          </Anchor>
          <Text size="xs" c="dimmed">
            {from.type.name} · {humanize(path.slice(1))}
          </Text>
        </div>
      ))}
      {failure && <ProblemNote problem={failure} />}
      {hasNextPage && (
        <Button size="compact-sm" variant="default" loading={loading} onClick={() => void load()}>
          Show more
        </Button>
      )}
    </Stack>
  );
}
