import { Button, Group, Modal, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { SessionRow } from '../security/SessionRow';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Empty } from '../ui/Empty';
import { ProblemNote } from '../ui/ProblemNote';
import { Rows } from '../ui/Rows';
import { type Person, SIGN_OUT_USER, USER_SESSIONS } from './operations';

/** Where somebody else is signed in, with the ways to end that. */
export function UserSessions({ user }: { user: Person }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="compact-sm" variant="default" aria-label={`Sessions of ${user.name}`} onClick={() => setOpen(true)}>
        Sessions
      </Button>
      {open && (
        <Modal
          opened
          onClose={() => setOpen(false)}
          title={`Where ${user.name} is signed in`}
          size="lg"
          closeButtonProps={{ 'aria-label': 'Close' }}
          data-testid="user-sessions"
        >
          <List user={user} />
        </Modal>
      )}
    </>
  );
}

function List({ user }: { user: Person }) {
  const [{ data, error }, again] = useQuery({ query: USER_SESSIONS, variables: { user: user.id }, requestPolicy: 'network-only' });
  const everywhere = useAct(SIGN_OUT_USER);
  const reload = () => again({ requestPolicy: 'network-only' });
  const sessions = data?.userSessions.nodes;
  const signOut = async () => {
    if (await everywhere.run({ input: { user: user.id } })) reload();
  };
  return (
    <Stack gap="sm">
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {everywhere.failure && <ProblemNote problem={everywhere.failure} />}
      {!error && !data && <Skeleton h={120} />}
      {sessions?.length === 0 && <Empty title="Signed in nowhere" icon="security" />}
      {sessions && (
        <Rows label={`Sessions of ${user.name}`}>
          {sessions.map((session) => (
            <SessionRow key={session.id} session={session} acted="Somebody acting as them" onEnded={reload} />
          ))}
        </Rows>
      )}
      {sessions && sessions.length > 0 && (
        <Group justify="space-between" gap="xs">
          <Text size="xs" c="dimmed">
            Everywhere takes the access keys, too.
          </Text>
          <ConfirmButton
            label="Sign out everywhere"
            question={`Sign ${user.name} out everywhere? Sessions and access keys end at once.`}
            loading={everywhere.busy}
            onConfirm={() => void signOut()}
          />
        </Group>
      )}
    </Stack>
  );
}
