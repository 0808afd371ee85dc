import { NumberInput, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { useAct } from '../api/useAct';
import { FormDialog } from '../ui/FormDialog';
import { INVITE, type PlanName, ROLE_KEYS } from './operations';

interface Props {
  plans: PlanName[];
  roles: boolean;
  onClose: () => void;
  onInvited: () => void;
}

/** Invites somebody by mail. */
export function Invite({ plans, roles, onClose, onInvited }: Props) {
  const [{ data }] = useQuery({ query: ROLE_KEYS, pause: !roles });
  const { run, busy, failure } = useAct(INVITE);
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<string | null>(null);
  const [plan, setPlan] = useState<string | null>(null);
  const [days, setDays] = useState<number | string>(14);
  const own = failure?.code === 'EMAIL_INVALID' ? failure : null;
  const send = async () => {
    if (!(await run({ input: { email, role, plan, days: Number(days) } }))) return;
    onInvited();
    onClose();
  };
  return (
    <FormDialog
      title="Invite somebody"
      submit="Send the invitation"
      busy={busy}
      failure={own ? null : failure}
      onSubmit={() => void send()}
      onClose={onClose}
      data-testid="invite"
    >
      <TextInput
        label="Mail address"
        name="email"
        type="email"
        autoComplete="off"
        maxLength={254}
        required
        withAsterisk={false}
        data-autofocus
        value={email}
        error={own?.text}
        onChange={(e) => setEmail(e.currentTarget.value)}
      />
      {roles && (
        <Select
          label="Role"
          placeholder="None"
          clearable
          searchable
          data={data?.roles.nodes.map((r) => ({ value: r.key, label: r.name })) ?? []}
          value={role}
          onChange={setRole}
        />
      )}
      <Select
        label="Plan"
        placeholder={plans.find((p) => p.isDefault)?.name ?? 'The default'}
        clearable
        data={plans.map((p) => ({ value: p.key, label: p.name }))}
        value={plan}
        onChange={setPlan}
      />
      <NumberInput
        label="Good for how many days"
        name="days"
        min={1}
        max={90}
        allowDecimal={false}
        required
        withAsterisk={false}
        value={days}
        onChange={setDays}
      />
    </FormDialog>
  );
}
