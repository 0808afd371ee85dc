import { Badge, Button, Group, Table, Text } from '@mantine/core';
import { useState } from 'react';

import type { Problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { type Features, priceWords } from '../plan/words';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { MigrateDialog } from './MigrateDialog';
import { DELETE_PLAN, type Version } from './operations';

interface Props {
  versions: Version[];
  features: Features;
}

/** Every version of every plan. */
export function VersionsPanel({ versions, features }: Props) {
  const [failure, setFailure] = useState<Problem | null>(null);
  const [moving, setMoving] = useState<Version | null>(null);
  const moves = useSession().viewer.permissions.includes('plan.membership.write');
  const old = new Set(versions.filter((v) => !v.current).map((v) => v.key));
  const members = failure?.details['members'];
  return (
    <Panel title="Versions" hint="A version stays for as long as somebody is on it" data-testid="versions">
      {failure && (
        <ProblemNote problem={failure} mb="sm">
          {typeof members === 'number' && <Text size="sm">{plural(members, 'member is', 'members are')} on it. Move them first.</Text>}
        </ProblemNote>
      )}
      <Table.ScrollContainer minWidth={560} type="native">
        <Table verticalSpacing={8}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Plan</Table.Th>
              <Table.Th>Version</Table.Th>
              <Table.Th>Prices</Table.Th>
              <Table.Th>Role</Table.Th>
              <Table.Th aria-label="What can be done" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {versions.map((v) => (
              <Row key={v.id} version={v} onFailure={setFailure} onMove={moves && v.current && old.has(v.key) ? () => setMoving(v) : null} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {moving && <MigrateDialog plan={moving} features={features} onClose={() => setMoving(null)} />}
    </Panel>
  );
}

interface RowProps {
  version: Version;
  onFailure: (failure: Problem | null) => void;
  /** Moves the members of the other versions to this one; null where there are none. */
  onMove: (() => void) | null;
}

function Row({ version: v, onFailure, onMove }: RowProps) {
  const { run, busy } = useAct(DELETE_PLAN);
  const marks = [v.current && 'current', v.isDefault && v.current && 'default', v.hidden && 'hidden', v.closed && 'closed', v.onlyFor && 'for one only'];
  return (
    <Table.Tr data-testid="version">
      <Table.Td>
        {v.name}
        <Text size="xs" c="dimmed">
          {v.key}
        </Text>
      </Table.Td>
      <Table.Td>
        <Group gap={6}>
          {v.version}
          {marks.flatMap((mark) =>
            mark ? (
              <Badge key={mark} size="sm" variant="light" tt="none" color={mark === 'current' ? 'teal' : 'gray'}>
                {mark}
              </Badge>
            ) : (
              []
            ),
          )}
        </Group>
      </Table.Td>
      <Table.Td>{v.prices.map(priceWords).join(', ') || 'Free'}</Table.Td>
      <Table.Td>{v.role?.name ?? '–'}</Table.Td>
      <Table.Td>
        <Group gap={6} justify="flex-end">
          {onMove && (
            <Button size="compact-sm" variant="default" aria-label={`Move members to the current version of ${v.name}`} onClick={onMove}>
              Move members here
            </Button>
          )}
          <ConfirmButton
            label="Delete"
            aria-label={`Delete ${v.name}, version ${v.version}`}
            question={`Delete version ${v.version} of ${v.name}? It does not come back.`}
            loading={busy}
            onConfirm={() => void run({ input: { plan: v.id } }, onFailure)}
          />
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}
