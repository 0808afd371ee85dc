import { Button, Switch, Text, Textarea } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { useSession } from '../session/viewer';
import { FormDialog } from '../ui/FormDialog';
import { IMPERSONATE, type Person } from './operations';
import { mostReason, reasonProblem } from './reason';

/** The way to see the console as somebody else does. */
export function ActAs({ user }: { user: Person }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="compact-sm" variant="default" aria-label={`Act as ${user.name}`} onClick={() => setOpen(true)}>
        Act as…
      </Button>
      {open && <Dialog user={user} onClose={() => setOpen(false)} />}
    </>
  );
}

function Dialog({ user, onClose }: { user: Person; onClose: () => void }) {
  const { changed } = useSession();
  const { run, busy, failure, setFailure } = useAct(IMPERSONATE);
  const [reason, setReason] = useState('');
  const [readOnly, setReadOnly] = useState(true);
  const [wrong, setWrong] = useState<string | null>(null);
  const blamed = failure?.field === 'input.reason';
  const begin = async () => {
    const problem = reasonProblem(reason);
    setWrong(problem);
    setFailure(null);
    if (problem) return;
    const answer = await run({ input: { user: user.id, reason: reason.trim(), readOnly, transport: 'COOKIE' } });
    // What was read belongs to somebody else now, the socket too.
    if (answer) changed('/');
  };
  return (
    <FormDialog
      title={`Act as ${user.name}`}
      submit="Begin"
      busy={busy}
      failure={blamed ? null : failure}
      onSubmit={() => void begin()}
      onClose={onClose}
      data-testid="act-as"
    >
      <Text size="sm">
        You see the console as {user.name} does, for an hour at most. They see in their sessions and their activity that somebody
        did, and the log names you with everything you do.
      </Text>
      <Textarea
        label="Why"
        description="Kept in the log"
        name="reason"
        autosize
        minRows={2}
        maxRows={6}
        maxLength={2 * mostReason}
        required
        withAsterisk={false}
        data-autofocus
        value={reason}
        error={wrong ?? (blamed && failure.text)}
        onChange={(e) => {
          setReason(e.currentTarget.value);
          setWrong(null);
        }}
      />
      <Switch
        label="Look only"
        description="Nothing can be changed in their name."
        name="readOnly"
        checked={readOnly}
        onChange={(e) => setReadOnly(e.currentTarget.checked)}
      />
    </FormDialog>
  );
}
