import { Badge, Button, Group } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { AddEmail } from './AddEmail';
import { type Me, REMOVE_EMAIL, SET_PRIMARY_EMAIL } from './operations';

/** The mail addresses of the account, the primary one first. */
export function EmailsPanel({ emails, reload }: { emails: Me['emails']; reload: () => void }) {
  const prefer = useAct(SET_PRIMARY_EMAIL);
  const remove = useAct(REMOVE_EMAIL);
  const [adding, setAdding] = useState(false);
  const failure = prefer.failure ?? remove.failure;
  const busy = prefer.busy || remove.busy;
  const finish = (answer: unknown) => {
    if (answer) reload();
  };
  return (
    <Panel
      title="Mail addresses"
      hint="Each is good for signing in; mails go to the primary one"
      data-testid="panel-emails"
      aside={
        <Button size="compact-sm" variant="light" onClick={() => setAdding(true)}>
          Add address
        </Button>
      }
    >
      {failure && <ProblemNote problem={failure} mb="sm" />}
      <Rows label="Mail addresses">
        {emails.map(({ email, primary, verifiedAt }) => (
          <Row
            key={email}
            title={
              <Group gap={8} component="span">
                {email}
                {primary && (
                  <Badge size="sm" variant="light" tt="none">
                    Primary
                  </Badge>
                )}
              </Group>
            }
            detail={`Confirmed ${date(verifiedAt)}`}
          >
            {!primary && (
              <Button
                size="compact-sm"
                variant="default"
                disabled={busy}
                aria-label={`Make ${email} primary`}
                onClick={() => void prefer.run({ input: { email } }).then(finish)}
              >
                Make primary
              </Button>
            )}
            {emails.length > 1 && (
              <ConfirmButton
                label="Remove"
                aria-label={`Remove ${email}`}
                question={`Remove ${email} from your account?`}
                disabled={busy}
                onConfirm={() => void remove.run({ input: { email } }).then(finish)}
              />
            )}
          </Row>
        ))}
      </Rows>
      {adding && <AddEmail onClose={() => setAdding(false)} onAdded={reload} />}
    </Panel>
  );
}
