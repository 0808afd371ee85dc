import { Accordion, Button, Group, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { CreateKey } from '../keys/CreateKey';
import { KeyRows } from '../keys/KeyRows';
import { SERVICE_KEYS } from '../keys/operations';
import { Empty } from '../ui/Empty';
import { FormDialog } from '../ui/FormDialog';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { CREATE_SERVICE, type Person, SERVICES } from './operations';

/** Accounts of programs, with their keys. */
export function ServicesPanel() {
  const [{ data, error }, again] = useQuery({ query: SERVICES, requestPolicy: 'cache-and-network' });
  const [making, setMaking] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const reload = () => again({ requestPolicy: 'network-only' });
  const accounts = data?.serviceAccounts.nodes ?? [];
  return (
    <Panel
      title="Service accounts"
      hint="For programs that act for nobody in particular; they have no way in but keys"
      data-testid="panel-services"
      aside={
        <Button size="compact-sm" variant="light" onClick={() => setMaking(true)}>
          New account
        </Button>
      }
    >
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={80} />}
      {data && accounts.length === 0 && <Empty title="No service accounts" icon="access" />}
      <Accordion value={open} onChange={setOpen} variant="separated">
        {accounts.map((account) => (
          <Accordion.Item key={account.id} value={account.id}>
            <Accordion.Control>
              <Text size="sm" fw={500}>
                {account.name}
              </Text>
            </Accordion.Control>
            <Accordion.Panel>{open === account.id && <ServiceKeys account={account} />}</Accordion.Panel>
          </Accordion.Item>
        ))}
      </Accordion>
      {making && <CreateService onClose={() => setMaking(false)} onMade={reload} />}
    </Panel>
  );
}

function ServiceKeys({ account }: { account: Person }) {
  const variables = { serviceAccount: account.id };
  const [{ data, error }, again] = useQuery({ query: SERVICE_KEYS, variables, requestPolicy: 'cache-and-network' });
  const [making, setMaking] = useState(false);
  const reload = () => again({ requestPolicy: 'network-only' });
  const keys = data?.serviceAccessKeys.nodes;
  return (
    <Stack gap="sm">
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {keys?.length === 0 && (
        <Text size="sm" c="dimmed">
          No keys yet. Its permissions come from the roles it is granted.
        </Text>
      )}
      {keys && <KeyRows keys={keys} reload={reload} />}
      <Group>
        <Button size="compact-sm" variant="light" onClick={() => setMaking(true)}>
          New key
        </Button>
      </Group>
      {making && <CreateKey owner={account} onClose={() => setMaking(false)} onMade={reload} />}
    </Stack>
  );
}

function CreateService({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const { run, busy, failure } = useAct(CREATE_SERVICE);
  const [name, setName] = useState('');
  const make = async () => {
    if (!(await run({ input: { name } }))) return;
    onMade();
    onClose();
  };
  return (
    <FormDialog
      title="New service account"
      submit="Create"
      busy={busy}
      failure={failure}
      onSubmit={() => void make()}
      onClose={onClose}
      data-testid="create-service"
    >
      <TextInput
        label="Name"
        description="What it is for"
        name="service-name"
        maxLength={100}
        required
        withAsterisk={false}
        data-autofocus
        value={name}
        onChange={(e) => setName(e.currentTarget.value)}
      />
    </FormDialog>
  );
}
