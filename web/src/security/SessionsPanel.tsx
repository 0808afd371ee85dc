import { Badge, Button, Group, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { ago, date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { FormDialog } from '../ui/FormDialog';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { END_OTHER_SESSIONS, END_SESSION, RENAME_SESSION, type Session } from './operations';
import { methodWords } from './words';

const unknownClient = 'Unknown device';

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
    <Panel title="Where you are signed in" hint="What you sign out is out at once" data-testid="panel-sessions">
      {others.failure && <ProblemNote problem={others.failure} mb="sm" />}
      <Rows label="Sessions">
        {sessions.map((session) => (
          <SessionRow key={session.id} session={session} reload={reload} />
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

function SessionRow({ session, reload }: { session: Session; reload: () => void }) {
  const end = useAct(END_SESSION);
  const [renaming, setRenaming] = useState(false);
  const now = useNow(30_000);
  const client = session.client || unknownClient;
  const name = session.label || client;
  const how = methodWords(session.methods);
  const signOut = async () => {
    if (await end.run({ input: { session: session.id } })) reload();
  };
  return (
    <Row
      title={
        <Group gap={8} component="span">
          {name}
          {session.current && (
            <Badge size="sm" variant="light" tt="none">
              This session
            </Badge>
          )}
        </Group>
      }
      detail={
        <>
          {[session.label && client, session.ip, `last seen ${ago(session.lastSeenAt, now)}`].filter(Boolean).join(' · ')}
          <br />
          Signed in {date(session.createdAt)}
          {how && ` by ${how}`}
          {end.failure && <ProblemNote problem={end.failure} mt="xs" />}
        </>
      }
      data-testid="session"
    >
      <Button size="compact-sm" variant="default" aria-label={`Rename ${name}`} onClick={() => setRenaming(true)}>
        Rename
      </Button>
      {!session.current && (
        <ConfirmButton
          label="Sign out"
          aria-label={`Sign out ${name}`}
          question={`Sign out ${name}? What is open there closes.`}
          loading={end.busy}
          onConfirm={() => void signOut()}
        />
      )}
      {renaming && <Rename session={session} onClose={() => setRenaming(false)} onDone={reload} />}
    </Row>
  );
}

function Rename({ session, onClose, onDone }: { session: Session; onClose: () => void; onDone: () => void }) {
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
        placeholder={session.client || unknownClient}
        data-autofocus
        value={label}
        onChange={(e) => setLabel(e.currentTarget.value)}
      />
    </FormDialog>
  );
}
