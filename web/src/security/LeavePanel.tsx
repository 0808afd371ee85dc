import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useContext, useState } from 'react';
import { useClient } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { ConfirmContext, withReauth } from '../api/reauth';
import { useAct } from '../api/useAct';
import { farewell } from '../auth/Farewell';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { FormDialog } from '../ui/FormDialog';
import { download } from '../ui/Once';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { DEACTIVATE_ME, DELETE_ME, MY_DATA } from './operations';

/** Taking one's data along, and leaving for a while or for good. */
export function LeavePanel({ email }: { email: string | null }) {
  const { changed } = useSession();
  const sleep = useAct(DEACTIVATE_ME);
  const data = useMyData();
  const [deleting, setDeleting] = useState(false);
  const failure = sleep.failure ?? data.failure;
  const deactivate = async () => {
    if (await sleep.run({})) changed(farewell(null));
  };
  return (
    <Panel title="Your data, and leaving" data-testid="panel-leave">
      <Stack gap="sm">
        {failure && <ProblemNote problem={failure} />}
        <Text size="sm" c="dimmed">
          Take along everything the server holds about you. Put your account to sleep, and it wakes when you sign in again. Delete
          it, and after a time of grace nothing is left.
        </Text>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" loading={data.busy} onClick={() => void data.save()}>
            Download my data
          </Button>
          <ConfirmButton
            label="Deactivate"
            question="You are signed out everywhere, until you sign in again."
            loading={sleep.busy}
            onConfirm={() => void deactivate()}
          />
          <Button size="compact-sm" variant="light" color="red" onClick={() => setDeleting(true)}>
            Delete account
          </Button>
        </Group>
      </Stack>
      {deleting && <Delete email={email ?? ''} onClose={() => setDeleting(false)} />}
    </Panel>
  );
}

function Delete({ email, onClose }: { email: string; onClose: () => void }) {
  const { changed } = useSession();
  const { run, busy, failure } = useAct(DELETE_ME);
  const [typed, setTyped] = useState('');
  const leave = async () => {
    const answer = await run({ input: { email: typed } });
    if (answer) changed(farewell(answer.deleteMe.deletedAfter));
  };
  return (
    <FormDialog
      title="Delete your account"
      submit="Delete"
      busy={busy}
      failure={failure}
      onSubmit={() => void leave()}
      onClose={onClose}
      data-testid="delete-me"
    >
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        You are signed out everywhere, and after a time of grace everything is deleted. Signing in before then keeps it. Type{' '}
        <strong>{email}</strong> to go on.
      </Text>
      <TextInput
        label="Your primary mail address"
        name="delete-email"
        type="email"
        autoComplete="off"
        required
        withAsterisk={false}
        data-autofocus
        value={typed}
        onChange={(e) => setTyped(e.currentTarget.value)}
      />
    </FormDialog>
  );
}

/** The user's data as a file; reading it, too, wants a fresh proof. */
function useMyData() {
  const client = useClient();
  const confirm = useContext(ConfirmContext);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Problem | null>(null);
  const save = async () => {
    setBusy(true);
    setFailure(null);
    const read = () => client.query(MY_DATA, {}, { requestPolicy: 'network-only' }).toPromise();
    const answer = await (confirm ? withReauth(read, confirm) : read());
    setBusy(false);
    if (answer?.error) setFailure(problemOf(answer.error));
    else if (answer?.data) download('my-data.json', JSON.stringify(answer.data.myData, null, 2), 'application/json');
  };
  return { save, busy, failure };
}
