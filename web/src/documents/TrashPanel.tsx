import { Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { dateTime } from '../format/time';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { type ContentType, listed, PURGE_DOCUMENT, RESTORE_DOCUMENT, TRASH } from './operations';

/** What was deleted of the type and can be brought back. */
export function TrashPanel({ type }: { type: ContentType }) {
  const [after, setAfter] = useState<string | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [{ data, error }, again] = useQuery({
    query: TRASH,
    variables: { type: type.key, after },
    requestPolicy: 'cache-and-network',
    context: listed,
  });
  const restore = useAct(RESTORE_DOCUMENT);
  const purge = useAct(PURGE_DOCUMENT);
  const purges = useSession().viewer.permissions.includes('registry.document.purge');
  const page = data?.trash;
  return (
    <Panel title="Trash" hint="What was deleted stays here for a while, then it is gone for good" data-testid="trash">
      <Stack gap="sm">
        {error && <ProblemNote problem={problemOf(error)} onRetry={again} />}
        {failure && <ProblemNote problem={failure} />}
        {!page && !error && <Skeleton h={60} />}
        {page?.nodes.length === 0 && (
          <Text size="sm" c="dimmed">
            Nothing
          </Text>
        )}
        {page && page.nodes.length > 0 && (
          <Rows label={`Deleted: ${type.name}`}>
            {page.nodes.map((t) => (
              <Row
                key={t.id}
                title={t.document.label}
                detail={`Deleted ${dateTime(t.deletedAt)} by ${t.deletedBy?.name ?? 'the server'}${t.root ? '' : ', along with another'} · kept until ${dateTime(t.expiresAt)}`}
              >
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={`Restore ${t.document.label}`}
                  disabled={restore.busy}
                  onClick={() => void restore.run({ input: { id: t.id } }, setFailure)}
                >
                  Restore
                </Button>
                {purges && (
                  <ConfirmButton
                    label="Purge"
                    aria-label={`Purge ${t.document.label}`}
                    question="Delete it for good, with its history? It does not come back."
                    onConfirm={() => void purge.run({ input: { id: t.id } }, setFailure)}
                  />
                )}
              </Row>
            ))}
          </Rows>
        )}
        {(after || page?.pageInfo.hasNextPage) && (
          <Group gap="xs">
            {after && (
              <Button size="compact-sm" variant="default" onClick={() => setAfter(null)}>
                From the start
              </Button>
            )}
            {page?.pageInfo.hasNextPage && (
              <Button size="compact-sm" variant="default" onClick={() => setAfter(page.pageInfo.endCursor)}>
                Older
              </Button>
            )}
          </Group>
        )}
      </Stack>
    </Panel>
  );
}
