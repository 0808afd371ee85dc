import { Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { createPasskey, passkeyProblem } from '../auth/webauthn';
import { FormDialog } from '../ui/FormDialog';
import { ADD_PASSKEY, BEGIN_PASSKEY } from './operations';

interface Props {
  onAdded: (recoveryCodes: string[] | null) => void;
  onClose: () => void;
}

/** Makes a passkey on this device, or on one near it. */
export function AddPasskey({ onAdded, onClose }: Props) {
  const begin = useAct(BEGIN_PASSKEY);
  const add = useAct(ADD_PASSKEY);
  const [name, setName] = useState('Passkey');
  const make = async () => {
    const started = await begin.run({}, add.setFailure);
    if (!started) return;
    const { flow, options } = started.beginPasskey;
    const credential = await createPasskey(options).catch((error: unknown) => add.setFailure(passkeyProblem(error)));
    if (!credential) return;
    const answer = await add.run({ input: { flow, credential, name } });
    if (answer) onAdded(answer.addPasskey.recoveryCodes);
  };
  return (
    <FormDialog
      title="Add a passkey"
      submit="Make the passkey"
      busy={begin.busy || add.busy}
      failure={add.failure}
      onSubmit={() => void make()}
      onClose={onClose}
      data-testid="add-passkey"
    >
      <Text size="sm">
        A passkey lives on your device or security key, and lets you in by a look, a touch or a PIN. Your browser asks you in a
        moment.
      </Text>
      <TextInput
        label="Name"
        description="To know it by"
        name="factor-name"
        maxLength={60}
        required
        withAsterisk={false}
        data-autofocus
        value={name}
        onChange={(e) => setName(e.currentTarget.value)}
      />
    </FormDialog>
  );
}
