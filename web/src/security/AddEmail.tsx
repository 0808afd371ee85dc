import { Checkbox, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { CodeForm } from '../auth/CodeForm';
import { CONFIRM_EMAIL } from '../auth/operations';
import { dateTime } from '../format/time';
import { FormDialog } from '../ui/FormDialog';
import { ADD_EMAIL } from './operations';

interface Props {
  onClose: () => void;
  onAdded: () => void;
}

/** Adds an address: first it is named, then the code that was sent to it is typed. */
export function AddEmail({ onClose, onAdded }: Props) {
  const add = useAct(ADD_EMAIL);
  const confirm = useAct(CONFIRM_EMAIL);
  const [email, setEmail] = useState('');
  const [primary, setPrimary] = useState(false);
  const [sent, setSent] = useState<{ flow: string; expiresAt: string } | null>(null);

  const send = async () => {
    confirm.setFailure(null);
    const answer = await add.run({ input: { email, primary } });
    if (answer) setSent(answer.addEmail);
    return answer !== null;
  };
  const finish = async (flow: string, code: string) => {
    if (!(await confirm.run({ input: { flow, code } }))) return;
    onAdded();
    onClose();
  };
  if (sent) {
    return (
      <Modal opened onClose={onClose} title="Confirm the address" closeButtonProps={{ 'aria-label': 'Close' }} data-testid="confirm-email">
        <Stack>
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            A code and a link are on their way to <strong>{email}</strong>, good until {dateTime(sent.expiresAt)}.
          </Text>
          <CodeForm
            submit="Confirm"
            busy={confirm.busy}
            failure={confirm.failure ?? add.failure}
            onCode={(code) => void finish(sent.flow, code)}
            onResend={send}
          />
        </Stack>
      </Modal>
    );
  }
  const own = add.failure?.code === 'EMAIL_INVALID' ? add.failure : null;
  return (
    <FormDialog
      title="Add a mail address"
      submit="Send the code"
      busy={add.busy}
      failure={own ? null : add.failure}
      onSubmit={() => void send()}
      onClose={onClose}
      data-testid="add-email"
    >
      <TextInput
        label="Mail address"
        name="email"
        type="email"
        autoComplete="email"
        maxLength={254}
        required
        withAsterisk={false}
        data-autofocus
        value={email}
        error={own?.text}
        onChange={(e) => setEmail(e.currentTarget.value)}
      />
      <Checkbox
        label="Make it the primary address once it is confirmed"
        checked={primary}
        onChange={(e) => setPrimary(e.currentTarget.checked)}
      />
    </FormDialog>
  );
}
