import { Anchor, Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useClient } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { href, Link } from '../app/router';
import { humanize } from '../format/text';
import { ProblemNote } from '../ui/ProblemNote';
import { DOCUMENT, type OpenDocument } from './operations';

type Page = OpenDocument['backlinks'];

/** What points at a document: the first page comes with it, more on demand. */
export function Backlinks({ id, first }: { id: string; first: Page }) {
  const client = useClient();
  const [more, setMore] = useState<Page[]>([]);
  const [loading, setLoading] = useState(false);
  const [failure, setFailure] = useState<Problem | null>(null);
  const pages = [first, ...more];
  const { hasNextPage, endCursor } = (more.at(-1) ?? first).pageInfo;

  const load = async () => {
    setLoading(true);
    const { data, error } = await client.query(DOCUMENT, { id, after: endCursor }).toPromise();
    setLoading(false);
    setFailure(error ? problemOf(error) : null);
    if (data?.node?.__typename === 'Document') setMore([...more, data.node.backlinks]);
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
