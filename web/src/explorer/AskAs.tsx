import { Button, Group, PasswordInput, Popover, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';

import { type Identity, ownSession, signInAs } from './identity';

interface Props {
  me: string;
  identity: Identity;
  change(to: Identity): void;
}

/** Chooses whom the operations are run as. The console stays signed in as it is. */
export function AskAs({ me, identity, change }: Props) {
  const [open, setOpen] = useState(false);
  const [wrong, setWrong] = useState('');
  const [busy, setBusy] = useState(false);
  const turn = (to: Identity) => {
    setWrong('');
    setOpen(false);
    change(to);
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    signInAs(form.get('explorer-identifier') as string, form.get('explorer-password') as string)
      .then(turn, (error: Error) => setWrong(error.message))
      .finally(() => setBusy(false));
  };
  return (
    <Popover opened={open} onChange={setOpen} position="top-start" width={280} shadow="md" trapFocus>
      <Popover.Target>
        <Button size="compact-xs" variant="light" onClick={() => setOpen(!open)} data-testid="ask-as">
          Asked as {identity.kind === 'other' ? identity.name : identity.kind === 'nobody' ? 'nobody' : me}
        </Button>
      </Popover.Target>
      <Popover.Dropdown data-testid="ask-as-who">
        <Stack gap="xs">
          <Group gap="xs" grow>
            <Button size="xs" variant="default" disabled={identity.kind === 'session'} onClick={() => turn(ownSession)}>
              Myself
            </Button>
            <Button size="xs" variant="default" disabled={identity.kind === 'nobody'} onClick={() => turn({ kind: 'nobody' })}>
              Nobody
            </Button>
          </Group>
          <form onSubmit={submit}>
            <Stack gap="xs">
              <TextInput size="xs" name="explorer-identifier" label="Mail or username" required autoComplete="off" />
              <PasswordInput size="xs" name="explorer-password" label="Password" required autoComplete="off" />
              {wrong && (
                <Text size="xs" c="red" role="alert">
                  {wrong}
                </Text>
              )}
              <Button size="xs" type="submit" loading={busy}>
                Sign in for this page
              </Button>
            </Stack>
          </form>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
