import { Button, Code, Group, Modal, Skeleton, Stack, Table, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useClient, useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { plural } from '../format/text';
import { ProblemNote } from '../ui/ProblemNote';
import {
  CREATE_ROLE,
  DELETE_ROLE,
  type Diff,
  GRANT_ROLE,
  NAMES,
  type PolicyChange,
  REVOKE_GRANT,
  SET_OPTIONS,
  SIMULATE,
  UPDATE_ROLE,
} from './operations';
import { help } from './words';

interface Props {
  title: string;
  change: PolicyChange;
  onClose: () => void;
  onSaved: () => void;
}

/** Shows who would gain and who would lose what by a change, before it is one. */
export function TryChange({ title, change, onClose, onSaved }: Props) {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [{ data, error, fetching }] = useQuery({ query: SIMULATE, variables: { changes: [change] }, requestPolicy: 'network-only' });
  const refused = error && problemOf(error);
  const save = async () => {
    setBusy(true);
    setFailure(null);
    const answer = await send(client, change);
    setBusy(false);
    if (answer.error) return setFailure(problemOf(answer.error));
    onSaved();
  };
  return (
    <Modal opened onClose={onClose} title={title} size="lg" closeButtonProps={{ 'aria-label': 'Close' }} data-testid="try-change">
      <Stack>
        {refused && <Refused problem={refused} />}
        {failure && <Refused problem={failure} />}
        {fetching && <Skeleton h={90} />}
        {data && <Diffs diffs={data.simulatePolicy.diffs} complete={data.simulatePolicy.complete} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button loading={busy} disabled={!data} onClick={() => void save()}>
            Save
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Refused({ problem }: { problem: Problem }): ReactNode {
  const more = help(problem.details);
  return (
    <ProblemNote problem={problem}>
      {more && (
        <Text size="sm" data-testid="help">
          {more}
        </Text>
      )}
    </ProblemNote>
  );
}

function Diffs({ diffs, complete }: { diffs: Diff[]; complete: boolean }) {
  const [{ data }] = useQuery({ query: NAMES, variables: { ids: diffs.slice(0, 100).map((d) => d.user) }, pause: diffs.length === 0 });
  const names = new Map(data?.nodes.flatMap((n) => (n && 'name' in n ? [[n.id, n.name] as const] : [])));
  if (diffs.length === 0) return <Text size="sm">Nobody gains or loses anything by this.</Text>;
  return (
    <Stack gap="xs">
      <Text size="sm">
        This changes what {plural(diffs.length, 'person', 'people')} can do{complete ? '.' : ', and more than these.'}
      </Text>
      <Table.ScrollContainer minWidth={420}>
        <Table data-testid="diffs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Who</Table.Th>
              <Table.Th>Gains</Table.Th>
              <Table.Th>Loses</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {diffs.slice(0, 100).map((d) => (
              <Table.Tr key={d.user}>
                <Table.Td>{names.get(d.user) ?? d.user}</Table.Td>
                <Table.Td>
                  <Codes of={d.gains} />
                </Table.Td>
                <Table.Td>
                  <Codes of={d.loses} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  );
}

/** Permissions one beside the other. */
export function Codes({ of }: { of: string[] }) {
  if (of.length === 0) return <Text c="dimmed">–</Text>;
  return (
    <Group gap={4}>
      {of.map((key) => (
        <Code key={key} style={{ overflowWrap: 'anywhere' }}>
          {key}
        </Code>
      ))}
    </Group>
  );
}

function send(client: ReturnType<typeof useClient>, change: PolicyChange) {
  if ('grantRole' in change) return client.mutation(GRANT_ROLE, { input: change.grantRole }).toPromise();
  if ('revokeGrant' in change) return client.mutation(REVOKE_GRANT, { input: { grant: change.revokeGrant, mode: 'CASCADE' } }).toPromise();
  if ('createRole' in change) return client.mutation(CREATE_ROLE, { input: change.createRole }).toPromise();
  if ('updateRole' in change) return client.mutation(UPDATE_ROLE, { input: change.updateRole }).toPromise();
  if ('deleteRole' in change) return client.mutation(DELETE_ROLE, { input: { role: change.deleteRole, mode: 'CASCADE' } }).toPromise();
  return client.mutation(SET_OPTIONS, { input: change.setGrantOptions }).toPromise();
}
