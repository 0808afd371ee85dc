import { Button, Select, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import type { Membership } from '../plan/fragments';
import { FormDialog } from '../ui/FormDialog';
import { ProblemNote } from '../ui/ProblemNote';
import { PAUSE, PUT_ON_PLAN, UNPAUSE } from './operations';

interface Props {
  membership: Membership;
  plans: { key: string; name: string }[];
  reload: () => void;
}

/** Puts somebody on a plan, or on hold, and ends the hold. */
export function HoldButtons({ membership, plans, reload }: Props) {
  const [open, setOpen] = useState<'put' | 'pause' | null>(null);
  const unpause = useAct(UNPAUSE);
  const user = membership.subject;
  const done = () => {
    setOpen(null);
    reload();
  };
  const goOn = async () => {
    if (await unpause.run({ input: { user } })) reload();
  };
  return (
    <>
      {unpause.failure && <ProblemNote problem={unpause.failure} />}
      <Button size="compact-sm" variant="default" onClick={() => setOpen('put')}>
        Put on a plan
      </Button>
      {membership.status === 'SUSPENDED' ? (
        <Button size="compact-sm" variant="default" loading={unpause.busy} onClick={() => void goOn()}>
          End the hold
        </Button>
      ) : (
        <Button size="compact-sm" variant="default" onClick={() => setOpen('pause')}>
          Put on hold
        </Button>
      )}
      {open === 'put' && <PutDialog user={user} plans={plans} onClose={() => setOpen(null)} onDone={done} />}
      {open === 'pause' && <PauseDialog user={user} onClose={() => setOpen(null)} onDone={done} />}
    </>
  );
}

interface DialogProps {
  user: string;
  onClose: () => void;
  onDone: () => void;
}

function PutDialog({ user, plans, onClose, onDone }: DialogProps & { plans: Props['plans'] }) {
  const { run, busy, failure } = useAct(PUT_ON_PLAN);
  const [plan, setPlan] = useState<string | null>(null);
  const send = async () => {
    if (plan && (await run({ input: { user, plan } }))) onDone();
  };
  return (
    <FormDialog title="Put on a plan" submit="Put on the plan" busy={busy} failure={failure} onSubmit={() => void send()} onClose={onClose} data-testid="put">
      <Select
        label="Plan"
        description="It comes at once, and nothing is charged"
        required
        withAsterisk={false}
        data={plans.map((p) => ({ value: p.key, label: p.name }))}
        value={plan}
        onChange={setPlan}
        data-autofocus
      />
    </FormDialog>
  );
}

function PauseDialog({ user, onClose, onDone }: DialogProps) {
  const { run, busy, failure } = useAct(PAUSE);
  const [reason, setReason] = useState('');
  const send = async () => {
    if (await run({ input: { user, reason } })) onDone();
  };
  return (
    <FormDialog title="Put on hold" submit="Put on hold" busy={busy} failure={failure} onSubmit={() => void send()} onClose={onClose} data-testid="pause">
      <TextInput
        label="Reason"
        description="The person reads it. Until the hold ends the default plan applies and nothing is charged"
        name="reason"
        required
        withAsterisk={false}
        maxLength={500}
        value={reason}
        onChange={(e) => setReason(e.currentTarget.value)}
        data-autofocus
      />
    </FormDialog>
  );
}
