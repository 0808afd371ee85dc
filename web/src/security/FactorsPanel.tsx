import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Rows } from '../ui/Rows';
import { AddPasskey } from './AddPasskey';
import { AddTotp } from './AddTotp';
import { FactorRow } from './FactorRow';
import { BEGIN_TOTP, type Enrollment, type Factors, MAKE_RECOVERY_CODES } from './operations';
import { RecoveryCodes } from './RecoveryCodes';

interface Props {
  factors: Factors;
  /** Whether a role wants a second factor and there is none. */
  wanted: boolean;
  reload: () => void;
}

/** Authenticator apps, passkeys, and the codes for the day they are lost. */
export function FactorsPanel({ factors, wanted, reload }: Props) {
  const begin = useAct(BEGIN_TOTP);
  const renew = useAct(MAKE_RECOVERY_CODES);
  const [enrollment, setEnrollment] = useState<Enrollment | null>(null);
  const [passkey, setPasskey] = useState(false);
  const [codes, setCodes] = useState<string[] | null>(null);
  const { items, recoveryCodesLeft } = factors;
  const failure = begin.failure ?? renew.failure;

  const added = (recoveryCodes: string[] | null) => {
    setEnrollment(null);
    setPasskey(false);
    setCodes(recoveryCodes);
    reload();
  };
  const addTotp = async () => setEnrollment((await begin.run({}))?.beginTotp ?? null);
  const makeCodes = async () => {
    const answer = await renew.run({});
    if (answer) added(answer.makeRecoveryCodes.codes);
  };
  return (
    <Panel title="Second factors" hint="What is wanted beside your password; a passkey is enough alone" data-testid="panel-factors">
      <Stack gap="sm">
        {wanted && (
          <Alert color="yellow" variant="light" icon={<Icon name="alert" />}>
            One of your roles wants a second factor. Add one to use what it allows.
          </Alert>
        )}
        {failure && <ProblemNote problem={failure} />}
        {items.length === 0 ? (
          <Empty title="No second factor yet" icon="security">
            With one, your password alone lets nobody in.
          </Empty>
        ) : (
          <Rows label="Second factors">
            {items.map((factor) => (
              <FactorRow key={factor.id} factor={factor} reload={reload} />
            ))}
          </Rows>
        )}
        <Group gap="xs">
          <Button size="compact-sm" variant="light" loading={begin.busy} onClick={() => void addTotp()}>
            Add an authenticator app
          </Button>
          <Button size="compact-sm" variant="light" onClick={() => setPasskey(true)}>
            Add a passkey
          </Button>
        </Group>
        {items.length > 0 && (
          <Group justify="space-between" gap="xs">
            <Text size="sm" c={recoveryCodesLeft < 3 ? 'red' : 'dimmed'} data-testid="codes-left">
              {plural(recoveryCodesLeft, 'recovery code')} left
            </Text>
            <ConfirmButton
              label="Make new codes"
              question="The codes you have kept are then void."
              loading={renew.busy}
              onConfirm={() => void makeCodes()}
            />
          </Group>
        )}
      </Stack>
      {enrollment && <AddTotp enrollment={enrollment} onAdded={added} onClose={() => setEnrollment(null)} />}
      {passkey && <AddPasskey onAdded={added} onClose={() => setPasskey(false)} />}
      {codes && <RecoveryCodes codes={codes} onClose={() => setCodes(null)} />}
    </Panel>
  );
}
