import { Badge, Button, Group } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { date } from '../format/time';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { ProblemNote } from '../ui/ProblemNote';
import { Row } from '../ui/Rows';
import { ActAs } from './ActAs';
import { DISABLE_USER, ENABLE_USER, type Person, SIGN_OUT_USER, START_RESET } from './operations';
import { UserSessions } from './UserSessions';

interface Props {
  user: Person;
  /** Whether the one who looks may change it. */
  writable: boolean;
  /** Whether the one who looks may act as somebody else; whether as this one, the server says. */
  acts: boolean;
  reload: () => void;
}

const kinds: Partial<Record<Person['kind'], string>> = { ANONYMOUS: 'Guest', SERVICE: 'Program' };

/** One user, with what an administrator can do for or against them. */
export function UserRow({ user, writable, acts, reload }: Props) {
  const { viewer } = useSession();
  const kind = kinds[user.kind];
  const own = user.id === viewer.user.id;
  return (
    <Row
      title={
        <Group gap={8} component="span">
          {user.name}
          {own && <Tag>You</Tag>}
          {kind && <Tag>{kind}</Tag>}
          {user.disabledAt && <Tag color="red">Disabled {date(user.disabledAt)}</Tag>}
        </Group>
      }
      detail={[user.email, user.username, `since ${date(user.createdAt)}`].filter(Boolean).join(' · ')}
      data-testid="user-row"
    >
      {acts && !own && canBeActedAs(user) && <ActAs user={user} />}
      {writable && !own && <Actions user={user} reload={reload} />}
    </Row>
  );
}

/** A program is nobody to act as, and who is kept out stays so. */
function canBeActedAs({ kind, disabledAt }: Person): boolean {
  return kind !== 'SERVICE' && !disabledAt;
}

function Actions({ user, reload }: { user: Person; reload: () => void }) {
  const disable = useAct(DISABLE_USER);
  const enable = useAct(ENABLE_USER);
  const signOut = useAct(SIGN_OUT_USER);
  const reset = useAct(START_RESET);
  const [done, setDone] = useState('');
  const failure = [disable, enable, signOut, reset].find((act) => act.failure)?.failure;
  const after = (words: string) => (answer: unknown) => {
    setDone(answer ? words : '');
    if (answer) reload();
  };
  const variables = { input: { user: user.id } };
  return (
    <>
      {failure && <ProblemNote problem={failure} />}
      {/* It must be there before it says something; empty, it takes no part in the spacing. */}
      <span role="status" style={{ fontSize: 'var(--mantine-font-size-xs)', marginLeft: done ? 0 : -6 }}>
        {done}
      </span>
      {user.kind === 'PERSON' && (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={`Send reset to ${user.name}`}
          loading={reset.busy}
          onClick={() => void reset.run(variables).then(after('Mail sent'))}
        >
          Send reset
        </Button>
      )}
      {user.kind !== 'SERVICE' && <UserSessions user={user} />}
      <Button
        size="compact-sm"
        variant="default"
        aria-label={`Sign out ${user.name} everywhere`}
        loading={signOut.busy}
        onClick={() => void signOut.run(variables).then(after('Signed out'))}
      >
        Sign out
      </Button>
      {user.disabledAt ? (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={`Enable ${user.name}`}
          loading={enable.busy}
          onClick={() => void enable.run(variables).then(after('Enabled'))}
        >
          Enable
        </Button>
      ) : (
        <ConfirmButton
          label="Disable"
          aria-label={`Disable ${user.name}`}
          question={`Keep ${user.name} out? Sessions and keys end at once.`}
          loading={disable.busy}
          onConfirm={() => void disable.run(variables).then(after('Disabled'))}
        />
      )}
    </>
  );
}

function Tag({ children, color = 'gray' }: { children: React.ReactNode; color?: string }) {
  return (
    <Badge size="sm" variant="light" color={color} tt="none">
      {children}
    </Badge>
  );
}
