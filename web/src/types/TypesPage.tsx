import { Anchor, Badge, Box, Button, Group, Paper, Skeleton, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { href, Link } from '../app/router';
import { plural } from '../format/text';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { FormDialog } from '../ui/FormDialog';
import { Icon } from '../ui/Icon';
import { NoAccess } from '../ui/NoAccess';
import { ProblemNote } from '../ui/ProblemNote';
import { DefineType } from './DefineType';
import { EvolveType } from './EvolveType';
import { type ContentType, RENAME_TYPE, SET_TYPE_STATE, TYPES } from './operations';

type Doing = { what: 'define' } | { what: 'evolve' | 'rename'; type: ContentType };

/** The content types, and what changes them. */
export default function TypesPage() {
  const { permissions } = useSession().viewer;
  const writes = permissions.includes('registry.type.write');
  const [{ data, error }, again] = useQuery({
    query: TYPES,
    pause: !permissions.includes('registry.document.read'),
    requestPolicy: 'cache-and-network',
  });
  const [doing, setDoing] = useState<Doing | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);
  const done = () => setDoing(null);
  if (!permissions.includes('registry.document.read')) {
    return <NoAccess title="Content types are closed to you">Your roles do not let you read documents.</NoAccess>;
  }
  if (error && !data) return <ProblemNote problem={problemOf(error)} onRetry={again} m="lg" />;
  if (!data) return <Skeleton h={420} mt="lg" />;
  const keys = data.contentTypes.map((t) => t.key);
  return (
    <Stack data-testid="types">
      <Group justify="space-between" gap="sm">
        <Box>
          <Title order={1} fz="h2">
            Content types
          </Title>
          <Text size="sm" c="dimmed">
            What kinds of documents there are, and what each holds.
          </Text>
        </Box>
        {writes && (
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setDoing({ what: 'define' })}>
            New content type
          </Button>
        )}
      </Group>
      {failure && <ProblemNote problem={failure} />}
      <Paper withBorder style={{ overflow: 'hidden' }}>
        <Table.ScrollContainer minWidth={640} type="native">
          <Table verticalSpacing={8} horizontalSpacing="md">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Key</Table.Th>
                <Table.Th>Version</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th aria-label="What can be done" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.contentTypes.map((t) => (
                <TypeRow key={t.id} type={t} writes={writes} onDo={setDoing} onFailure={setFailure} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Paper>
      {doing?.what === 'define' && <DefineType types={keys} onClose={done} />}
      {doing?.what === 'evolve' && <EvolveType type={doing.type} types={keys} onClose={done} />}
      {doing?.what === 'rename' && <RenameType type={doing.type} onClose={done} />}
    </Stack>
  );
}

interface RowProps {
  type: ContentType;
  writes: boolean;
  onDo: (doing: Doing) => void;
  onFailure: (failure: Problem | null) => void;
}

function TypeRow({ type: t, writes, onDo, onFailure }: RowProps) {
  const { run, busy } = useAct(SET_TYPE_STATE);
  const active = t.state === 'ACTIVE';
  const set = (state: ContentType['state']) => void run({ input: { type: t.key, state } }, onFailure);
  return (
    <Table.Tr data-testid={`type-${t.key}`}>
      <Table.Td>{active ? <Anchor component={Link} size="sm" href={href('/documents', { type: t.key })}>{t.name}</Anchor> : t.name}</Table.Td>
      <Table.Td>
        {t.key}
        {t.aliases.length > 0 && (
          <Text size="xs" c="dimmed">
            before: {t.aliases.join(', ')}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        {t.version}
        {t.outdated > 0 && (
          <Text size="xs" c="dimmed">
            {plural(t.outdated, 'document')} still to be moved
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Group gap={6}>
          <Badge variant="light" tt="none" color={active ? 'teal' : 'gray'}>
            {active ? 'In use' : 'Out of use'}
          </Badge>
          {t.native && (
            <Badge variant="default" tt="none">
              of the server
            </Badge>
          )}
        </Group>
      </Table.Td>
      <Table.Td>
        {writes && !t.native && (
          <Group gap={6} justify="flex-end" wrap="nowrap">
            <Button size="compact-sm" variant="default" aria-label={`Change ${t.name}`} onClick={() => onDo({ what: 'evolve', type: t })}>
              Change
            </Button>
            <Button size="compact-sm" variant="default" aria-label={`Rename ${t.name}`} onClick={() => onDo({ what: 'rename', type: t })}>
              Rename
            </Button>
            {active ? (
              <ConfirmButton
                label="Retire"
                aria-label={`Retire ${t.name}`}
                question={`Take ${t.name} out of use? Its documents are kept, but not seen until it is in use again.`}
                loading={busy}
                onConfirm={() => set('RETIRED')}
              />
            ) : (
              <Button size="compact-sm" variant="default" aria-label={`Activate ${t.name}`} loading={busy} onClick={() => set('ACTIVE')}>
                Activate
              </Button>
            )}
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function RenameType({ type, onClose }: { type: ContentType; onClose: () => void }) {
  const [key, setKey] = useState(type.key);
  const [name, setName] = useState(type.name);
  const { run, busy, failure } = useAct(RENAME_TYPE);
  const submit = async () => {
    const input = { type: type.key, key: key === type.key ? null : key, name: name === type.name ? null : name };
    if (await run({ input })) onClose();
  };
  return (
    <FormDialog title={`Rename ${type.name}`} submit="Rename" busy={busy} failure={failure} onSubmit={() => void submit()} onClose={onClose}>
      <TextInput label="Key" name="key" description="The old one still leads here" required value={key} onChange={(e) => setKey(e.currentTarget.value)} />
      <TextInput label="Name" name="name" required maxLength={100} value={name} onChange={(e) => setName(e.currentTarget.value)} />
    </FormDialog>
  );
}
