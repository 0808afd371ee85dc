import { Button, Code, Modal, MultiSelect, NumberInput, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { useAct } from '../api/useAct';
import { useSession } from '../session/viewer';
import { FormDialog } from '../ui/FormDialog';
import { Once } from '../ui/Once';
import { CREATE_KEY, GRANTABLE } from './operations';

interface Props {
  /** The service account the key is for; null for the user. */
  owner: { id: string; name: string } | null;
  onClose: () => void;
  onMade: () => void;
}

/** Makes an access key, and shows it this once. */
export function CreateKey({ owner, onClose, onMade }: Props) {
  const { viewer } = useSession();
  const [{ data }] = useQuery({ query: GRANTABLE });
  const { run, busy, failure } = useAct(CREATE_KEY);
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<string[]>([]);
  const [days, setDays] = useState<number | string>(90);
  const [none, setNone] = useState(false);
  const [token, setToken] = useState<string | null>(null);

  // What one does not hold, one can't hand on.
  const held = (data?.permissions ?? []).filter((p) => viewer.permissions.includes(p.key));
  const make = async () => {
    setNone(scopes.length === 0);
    if (scopes.length === 0) return;
    const answer = await run({ input: { name, scopes, days: Number(days), serviceAccount: owner?.id ?? null } });
    if (!answer) return;
    setToken(answer.createAccessKey.token);
    onMade();
  };
  if (token) {
    return (
      <Modal
        opened
        onClose={onClose}
        title="Your access key"
        withCloseButton={false}
        closeOnClickOutside={false}
        closeOnEscape={false}
        data-testid="key-made"
      >
        <Stack>
          <Text size="sm">
            Send it as <Code>Authorization: Bearer …</Code>. Whoever has it may do what it may do.
          </Text>
          <Once what="Access key" text={token} data-testid="token" />
          <Button onClick={onClose} fullWidth>
            I have kept it
          </Button>
        </Stack>
      </Modal>
    );
  }
  return (
    <FormDialog
      title={owner ? `New access key for ${owner.name}` : 'New access key'}
      submit="Make the key"
      busy={busy}
      failure={failure}
      onSubmit={() => void make()}
      onClose={onClose}
      data-testid="create-key"
    >
      <TextInput
        label="Name"
        description="What uses it"
        name="key-name"
        maxLength={60}
        required
        withAsterisk={false}
        data-autofocus
        value={name}
        onChange={(e) => setName(e.currentTarget.value)}
      />
      <MultiSelect
        label="What it may do"
        description="Never more than its owner may at the time"
        data={held.map((p) => ({ value: p.key, label: p.key }))}
        value={scopes}
        onChange={setScopes}
        searchable
        hidePickedOptions
        nothingFoundMessage="No such permission of yours"
        error={none && 'Choose at least one.'}
      />
      <NumberInput
        label="Good for how many days"
        name="days"
        min={1}
        max={366}
        allowDecimal={false}
        required
        withAsterisk={false}
        value={days}
        onChange={setDays}
      />
    </FormDialog>
  );
}
