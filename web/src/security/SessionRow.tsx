import { Badge, Group } from '@mantine/core';
import type { ReactNode } from 'react';

import { useAct } from '../api/useAct';
import type { Session } from '../session/fragments';
import { ConfirmButton } from '../ui/ConfirmButton';
import { ProblemNote } from '../ui/ProblemNote';
import { Row } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { END_SESSION } from './operations';
import { beginning, lasting, sessionName, whereabouts } from './sessionWords';

interface Props {
  session: Session;
  /** What it says of a session in which somebody acts as its user. */
  acted: string;
  onEnded: () => void;
  /** What else can be done with it. */
  children?: ReactNode;
}

/** One session: what is known of it, and the way to end it unless it is the one of this page. */
export function SessionRow({ session, acted, onEnded, children }: Props) {
  const end = useAct(END_SESSION);
  const now = useNow(30_000);
  const name = sessionName(session);
  const signOut = async () => {
    if (await end.run({ input: { session: session.id } })) onEnded();
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
          {session.impersonated && (
            <Badge size="sm" variant="light" color="orange" tt="none" data-testid="impersonated">
              {acted}
            </Badge>
          )}
        </Group>
      }
      detail={
        <>
          {whereabouts(session, now)}
          <br />
          {beginning(session)} · <span data-testid="lasting">{lasting(session, now)}</span>
          {end.failure && <ProblemNote problem={end.failure} mt="xs" />}
        </>
      }
      data-testid="session"
    >
      {children}
      {!session.current && (
        <ConfirmButton
          label="Sign out"
          aria-label={`Sign out ${name}`}
          question={`Sign out ${name}? What is open there closes.`}
          loading={end.busy}
          onConfirm={() => void signOut()}
        />
      )}
    </Row>
  );
}
