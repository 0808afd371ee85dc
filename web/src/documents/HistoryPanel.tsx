import { Badge, Button, Code, Group, Select, Skeleton, Stack, Table, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { humanize } from '../format/text';
import { dateTime } from '../format/time';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { diffRows } from './diff';
import { DIFF, DOCUMENT, HISTORY, listed, type OpenDocument, REVERT_DOCUMENT } from './operations';

const ops: Record<string, string> = {
  CREATE: 'Made',
  UPDATE: 'Changed',
  DETACH: 'Lost what it pointed at',
  RESTORE: 'Restored',
  REVERT: 'Reverted',
};

/** The states a document was in: who made them, how they differ, and the way back. */
export function HistoryPanel({ document }: { document: OpenDocument }) {
  const [after, setAfter] = useState<string | null>(null);
  const [shown, setShown] = useState<number | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [{ data, error }, again] = useQuery({
    query: HISTORY,
    variables: { id: document.id, after },
    requestPolicy: 'cache-and-network',
    context: listed,
  });
  const revert = useAct(REVERT_DOCUMENT);
  const writes = useSession().viewer.permissions.includes('registry.document.update');
  if (error && !data) return <ProblemNote problem={problemOf(error)} onRetry={again} />;
  const history = data?.document?.history;
  if (!history) return <Skeleton h={200} />;
  const { edges, pageInfo } = history;
  return (
    <Stack data-testid="history">
      {failure && <ProblemNote problem={failure} />}
      <Rows label="Revisions">
        {edges.map(({ node: r }) => (
          <Row
            key={r.id}
            title={`${r.rev}. ${ops[r.op] ?? r.op}`}
            detail={
              <>
                {dateTime(r.at)} by {r.author?.name ?? 'the server'}
                {r.impersonatedBy && `, as whom ${r.impersonatedBy.name} acted`}
                {r.fields.length > 0 && ` · ${r.fields.map(humanize).join(', ')}`}
              </>
            }
            data-testid="revision"
          >
            <Button
              size="compact-sm"
              variant="default"
              aria-label={`View revision ${r.rev}`}
              aria-expanded={shown === r.rev}
              onClick={() => setShown(shown === r.rev ? null : r.rev)}
            >
              View
            </Button>
            {writes && r.rev !== document.rev && (
              <ConfirmButton
                label="Revert"
                aria-label={`Revert to revision ${r.rev}`}
                question={`Make the document as it was at revision ${r.rev}? That makes a new revision.`}
                onConfirm={() => void revert.run({ input: { id: document.id, rev: document.rev, to: r.rev } }, setFailure)}
              />
            )}
          </Row>
        ))}
      </Rows>
      {shown !== null && <AsOf id={document.id} rev={shown} />}
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
      {edges.length > 1 && (
        <Compare key={`${document.rev} ${after}`} id={document.id} start={after} revisions={edges.map((e) => ({ rev: e.node.rev, cursor: e.cursor }))} />
      )}
    </Stack>
  );
}

/** The document as it was. */
function AsOf({ id, rev }: { id: string; rev: number }) {
  const [{ data, error }] = useQuery({ query: DOCUMENT, variables: { id, rev } });
  if (error) return <ProblemNote problem={problemOf(error)} />;
  if (!data?.document) return <Skeleton h={80} />;
  return (
    <div data-testid="as-of">
      <Text size="sm" fw={600} mb={6}>
        As it was at revision {rev}
      </Text>
      <Code block>{JSON.stringify(data.document.data, null, 2)}</Code>
    </div>
  );
}

interface CompareProps {
  id: string;
  /** Cursor before the first of the revisions. */
  start: string | null;
  /** The newest first. */
  revisions: { rev: number; cursor: string }[];
}

/** How two revisions differ. */
function Compare({ id, start, revisions }: CompareProps) {
  const [to, setTo] = useState(revisions[0]?.rev ?? 1);
  const [from, setFrom] = useState(revisions[1]?.rev ?? 1);
  const at = revisions.findIndex((r) => r.rev === to);
  const after = revisions[at - 1]?.cursor ?? start;
  const [{ data, error }] = useQuery({ query: DIFF, variables: { id, after, from } });
  const choices = revisions.map((r) => ({ value: String(r.rev), label: `Revision ${r.rev}` }));
  const revision = data?.document?.history.nodes[0];
  return (
    <section aria-label="Compare">
      <Group gap="xs" mb="sm" grow>
        <Select label="From" data={choices} value={String(from)} allowDeselect={false} onChange={(v) => setFrom(Number(v))} />
        <Select label="To" data={choices} value={String(to)} allowDeselect={false} onChange={(v) => setTo(Number(v))} />
      </Group>
      {error && <ProblemNote problem={problemOf(error)} />}
      {!error && !revision && <Skeleton h={60} />}
      {revision && <Differences rows={diffRows(revision.diff)} />}
    </section>
  );
}

function Differences({ rows }: { rows: ReturnType<typeof diffRows> }) {
  if (rows.length === 0) return <Text size="sm">They do not differ.</Text>;
  return (
    <Table.ScrollContainer minWidth={420} type="native">
      <Table data-testid="diff" verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Field</Table.Th>
            <Table.Th>What</Table.Th>
            <Table.Th>Before</Table.Th>
            <Table.Th>After</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((r) => (
            <Table.Tr key={r.path}>
              <Table.Td>{r.path}</Table.Td>
              <Table.Td>
                <Badge variant="light" color={r.color} tt="none" miw="max-content">
                  {r.word}
                </Badge>
              </Table.Td>
              <Table.Td>{r.before && <Code style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{r.before}</Code>}</Table.Td>
              <Table.Td>{r.after && <Code style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{r.after}</Code>}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
