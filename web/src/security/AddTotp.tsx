import { Code, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { CodeInput } from '../auth/CodeInput';
import { FormDialog } from '../ui/FormDialog';
import { CONFIRM_TOTP, type Enrollment } from './operations';
import classes from './SecurityPage.module.css';

interface Props {
  enrollment: Enrollment;
  onAdded: (recoveryCodes: string[] | null) => void;
  onClose: () => void;
}

/** Shows the seed of an authenticator app, and takes one of its codes as a sign that it arrived. */
export function AddTotp({ enrollment, onAdded, onClose }: Props) {
  const { run, busy, failure } = useAct(CONFIRM_TOTP);
  const [name, setName] = useState('Authenticator app');
  const [code, setCode] = useState('');
  const confirm = async () => {
    const answer = await run({ input: { factor: enrollment.factor, code, name } });
    if (answer) onAdded(answer.confirmTotp.recoveryCodes);
  };
  return (
    <FormDialog
      title="Add an authenticator app"
      submit="Add"
      busy={busy}
      failure={failure}
      onSubmit={() => void confirm()}
      onClose={onClose}
      data-testid="add-totp"
    >
      <Text size="sm">Scan this with the app, or type the key into it. Then enter the code that the app shows.</Text>
      <img className={classes.qr} src={`data:image/png;base64,${enrollment.qrPng}`} alt="QR code of the key below" />
      <Stack gap={2} align="center">
        <Code fz="sm" data-testid="totp-secret" style={{ overflowWrap: 'anywhere', userSelect: 'all' }}>
          {enrollment.secret}
        </Code>
      </Stack>
      <CodeInput value={code} onChange={setCode} />
      <TextInput
        label="Name"
        description="To know it by"
        name="factor-name"
        maxLength={60}
        required
        withAsterisk={false}
        value={name}
        onChange={(e) => setName(e.currentTarget.value)}
      />
    </FormDialog>
  );
}
