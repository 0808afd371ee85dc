import { Button, Group, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import type { Session } from '../session/fragments';
import { ConfirmButton } from '../ui/ConfirmButton';
import { FormDialog } from '../ui/FormDialog';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Rows } from '../ui/Rows';
import { END_OTHER_SESSIONS, RENAME_SESSION } from './operations';
import { SessionRow } from './SessionRow';
import { sessionName } from './sessionWords';

/** Every session of the user, and the ways to end those that are not theirs. */
export function SessionsPanel({ sessions, reload }: { sessions: Session[]; reload: () => void }) {
  const others = useAct(END_OTHER_SESSIONS);
  const [ended, setEnded] = useState<number | null>(null);
  const endOthers = async () => {
    setEnded(null);
    const answer = await others.run({});
    if (!answer) return;
    setEnded(answer.endOtherSessions.ended);
    reload();
  };
  return (
    <Panel title="Where you are signed in" hint="As it happens; what you sign out is out at once" data-testid="panel-sessions">
      {others.failure && <ProblemNote problem={others.failure} mb="sm" />}
      <Rows label="Sessions">
        {sessions.map((session) => (
          <SessionRow key={session.id} session={session} acted="Somebody acting as you" onEnded={reload}>
            {!session.impersonated && <Rename session={session} onDone={reload} />}
          </SessionRow>
        ))}
      </Rows>
      <Group justify="space-between" gap="xs" mt={4}>
        <Text size="sm" c="teal" role="status">
          {ended !== null && `${plural(ended, 'other session')} ended.`}
        </Text>
        {sessions.some((s) => !s.current) && (
          <ConfirmButton
            label="Sign out everywhere else"
            question="Sign out everywhere but here? Access keys stay."
            loading={others.busy}
            onConfirm={() => void endOthers()}
          />
        )}
      </Group>
    </Panel>
  );
}

function Rename({ session, onDone }: { session: Session; onDone: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="compact-sm" variant="default" aria-label={`Rename ${sessionName(session)}`} onClick={() => setOpen(true)}>
        Rename
      </Button>
      {open && <RenameDialog session={session} onClose={() => setOpen(false)} onDone={onDone} />}
    </>
  );
}

function RenameDialog({ session, onClose, onDone }: { session: Session; onClose: () => void; onDone: () => void }) {
  const { run, busy, failure } = useAct(RENAME_SESSION);
  const [label, setLabel] = useState(session.label ?? '');
  const save = async () => {
    if (!(await run({ input: { session: session.id, label } }))) return;
    onDone();
    onClose();
  };
  return (
    <FormDialog
      title="Rename the session"
      submit="Rename"
      busy={busy}
      failure={failure}
      onSubmit={() => void save()}
      onClose={onClose}
      data-testid="rename-session"
    >
      <TextInput
        label="Name"
        description="To know it by; leave it empty for none"
        name="session-label"
        maxLength={60}
        placeholder={sessionName({ label: null, client: session.client })}
        data-autofocus
        value={label}
        onChange={(e) => setLabel(e.currentTarget.value)}
      />
    </FormDialog>
  );
}
