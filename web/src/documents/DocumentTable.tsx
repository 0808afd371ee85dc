import { Button, Group, Paper, Skeleton, Table, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, Link, useSearch } from '../app/router';
import { humanize } from '../format/text';
import { dateTime } from '../format/time';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';
import classes from './DocumentsPage.module.css';
import { type ContentType, type DocumentRow, DOCUMENTS, listed } from './operations';
import { References } from './References';
import { columns, type Field, fields } from './schema';
import { Value } from './Value';

const pageSize = 12;

/** The documents of one type, newest first, page by page. */
export function DocumentTable({ type }: { type: ContentType }) {
  const [page, setPage] = useState<{ after?: string; before?: string }>({});
  const [{ data, error, fetching, stale }, again] = useQuery({
    query: DOCUMENTS,
    variables: page.before ? { type: type.key, last: pageSize, before: page.before } : { type: type.key, first: pageSize, after: page.after },
    requestPolicy: 'cache-and-network',
    // An empty list names no type by itself, but a new document must refresh it.
    context: listed,
  });
  const shown = columns(type.schema, 3);
  const pointing = fields(type.schema).some((f) => f.kind === 'reference' || f.kind === 'references');

  if (error && !data) return <ProblemNote problem={problemOf(error)} onRetry={again} />;
  if (!data) return <Skeleton h={420} />;
  const { nodes, pageInfo } = data.documents;
  if (nodes.length === 0 && !page.after && !page.before) {
    return (
      <Paper withBorder>
        <Empty title={`No document of the type ${type.name} yet`} icon="documents">
          Write the first one with the button above.
        </Empty>
      </Paper>
    );
  }
  return (
    <Paper withBorder style={{ overflow: 'hidden' }}>
      <Table.ScrollContainer type="native" minWidth={620} aria-busy={fetching || stale}>
        <Table highlightOnHover verticalSpacing={8} horizontalSpacing="md" data-testid="documents">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{type.name}</Table.Th>
              {shown.map((f) => (
                <Table.Th key={f.name} ta={f.kind === 'number' ? 'right' : undefined}>
                  {humanize(f.name)}
                </Table.Th>
              ))}
              {pointing && <Table.Th>Points at</Table.Th>}
              <Table.Th>Changed</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {nodes.map((d) => (
              <Row key={d.id} type={type.key} document={d} shown={shown} pointing={pointing} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Group justify="space-between" px="md" py="sm" style={{ borderTop: '1px solid var(--mantine-color-default-border)' }}>
        <Text size="sm" c="dimmed">
          Newest first
        </Text>
        <Group gap="xs">
          <Button
            variant="default"
            size="xs"
            leftSection={<Icon name="back" size={14} />}
            disabled={!pageInfo.hasPreviousPage}
            onClick={() => setPage({ before: pageInfo.startCursor ?? '' })}
          >
            Newer
          </Button>
          <Button
            variant="default"
            size="xs"
            rightSection={<Icon name="forward" size={14} />}
            disabled={!pageInfo.hasNextPage}
            onClick={() => setPage({ after: pageInfo.endCursor ?? '' })}
            data-testid="older"
          >
            Older
          </Button>
        </Group>
      </Group>
    </Paper>
  );
}

function Row({ type, document, shown, pointing }: { type: string; document: DocumentRow; shown: Field[]; pointing: boolean }) {
  const open = useSearch().get('open') === document.id;
  return (
    <Table.Tr className={classes.row} data-open={open || undefined}>
      <Table.Td maw={320}>
        <Link href={href('/documents', { type, open: document.id })} className={classes.link}>
          <Text span size="sm" fw={500} lineClamp={1}>
            {document.label}
          </Text>
        </Link>
      </Table.Td>
      {shown.map((f) => (
        <Table.Td key={f.name} ta={f.kind === 'number' ? 'right' : undefined}>
          <div className={classes.cell}>
            <Value value={document.data[f.name]} />
          </div>
        </Table.Td>
      ))}
      {pointing && (
        <Table.Td>
          <References references={document.references} />
        </Table.Td>
      )}
      <Table.Td c="dimmed" className="bb-numeric" style={{ whiteSpace: 'nowrap' }}>
        {dateTime(document.updatedAt)}
      </Table.Td>
    </Table.Tr>
  );
}
