import { Button, Skeleton } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { Invite } from './Invite';
import { type Invitation, INVITATIONS, REVOKE_INVITATION } from './operations';

/** Open invitations. roles: whether the one who looks may choose among them. */
export function InvitationsPanel({ roles }: { roles: boolean }) {
  const [{ data, error }, again] = useQuery({ query: INVITATIONS, requestPolicy: 'cache-and-network' });
  const revoke = useAct(REVOKE_INVITATION);
  const [inviting, setInviting] = useState(false);
  const reload = () => again({ requestPolicy: 'network-only' });
  const open = data?.invitations.nodes;
  const takeBack = async (invitation: string) => {
    if (await revoke.run({ input: { invitation } })) reload();
  };
  return (
    <Panel
      title="Invitations"
      hint="Each is good once, for the address it was sent to"
      data-testid="panel-invitations"
      aside={
        <Button size="compact-sm" variant="light" onClick={() => setInviting(true)}>
          Invite
        </Button>
      }
    >
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {revoke.failure && <ProblemNote problem={revoke.failure} mb="sm" />}
      {!error && !data && <Skeleton h={80} />}
      {open?.length === 0 && <Empty title="Nobody is invited" icon="mail" />}
      <Rows label="Invitations">
        {open?.map((invitation) => (
          <Row key={invitation.id} title={invitation.email} detail={detail(invitation)} data-testid="invitation">
            <ConfirmButton
              label="Revoke"
              aria-label={`Revoke the invitation of ${invitation.email}`}
              question={`Take the invitation of ${invitation.email} back?`}
              loading={revoke.busy}
              onConfirm={() => void takeBack(invitation.id)}
            />
          </Row>
        ))}
      </Rows>
      {inviting && <Invite plans={data?.plans ?? []} roles={roles} onClose={() => setInviting(false)} onInvited={reload} />}
    </Panel>
  );
}

function detail({ role, plan, expiresAt }: Invitation): string {
  return [role && `role ${role}`, plan && `plan ${plan}`, `good until ${date(expiresAt)}`].filter(Boolean).join(' · ');
}
