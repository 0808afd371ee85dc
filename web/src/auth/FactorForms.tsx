import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { type ReactNode, type SubmitEvent, useState } from 'react';

import { useAct } from '../api/useAct';
import { CodeInput } from './CodeInput';
import type { FactorFormProps } from './FactorChoice';
import { MailboxLink } from './MailboxLink';
import { CHALLENGE } from './operations';
import { getPasskey, passkeyProblem } from './webauthn';

/** Six digits of an authenticator app. */
export function TotpForm({ busy, prove, extra }: FactorFormProps) {
  const [totp, setTotp] = useState('');
  return (
    <ProofForm busy={busy} extra={extra} onSubmit={() => prove({ totp })}>
      <CodeInput label="Code of your authenticator app" value={totp} onChange={setTotp} />
    </ProofForm>
  );
}

/** The password. */
export function PasswordForm({ busy, prove, extra }: FactorFormProps) {
  const [password, setPassword] = useState('');
  return (
    <ProofForm busy={busy} extra={extra} onSubmit={() => prove({ password })}>
      <PasswordInput
        label="Password"
        name="password"
        autoComplete="current-password"
        required
        withAsterisk={false}
        autoFocus
        data-autofocus
        value={password}
        onChange={(e) => setPassword(e.currentTarget.value)}
      />
    </ProofForm>
  );
}

/** A recovery code, each good once. */
export function RecoveryForm({ busy, prove, extra }: FactorFormProps) {
  const [recoveryCode, setRecoveryCode] = useState('');
  return (
    <ProofForm busy={busy} extra={extra} onSubmit={() => prove({ recoveryCode })}>
      <TextInput
        label="Recovery code"
        description="One of the codes you kept. Each is good once."
        name="recoveryCode"
        autoComplete="off"
        spellCheck={false}
        required
        withAsterisk={false}
        autoFocus
        data-autofocus
        value={recoveryCode}
        onChange={(e) => setRecoveryCode(e.currentTarget.value)}
      />
    </ProofForm>
  );
}

/** A code by mail, which is sent on demand. */
export function EmailCodeForm({ flow, busy, prove, extra, onFailure }: FactorFormProps) {
  const challenge = useAct(CHALLENGE);
  const [sent, setSent] = useState(false);
  const [emailCode, setEmailCode] = useState('');
  const mail = async () => {
    const answer = await challenge.run({ input: { flow, factor: 'EMAIL_CODE' } }, onFailure);
    if (!answer) return;
    setSent(true);
    setEmailCode('');
  };
  if (!sent) {
    return (
      <Button onClick={() => void mail()} loading={challenge.busy} fullWidth data-autofocus>
        Mail me a code
      </Button>
    );
  }
  return (
    <ProofForm busy={busy} extra={extra} onSubmit={() => prove({ emailCode })}>
      <Text size="sm">A code is on its way to your primary address.</Text>
      <CodeInput label="Code of the mail" value={emailCode} onChange={setEmailCode} />
      <MailboxLink />
    </ProofForm>
  );
}

/** A passkey, which the browser asks for. */
export function PasskeyForm({ flow, busy, prove, extra, onFailure }: FactorFormProps) {
  const challenge = useAct(CHALLENGE);
  const use = async () => {
    const answer = await challenge.run({ input: { flow, factor: 'PASSKEY' } }, onFailure);
    const options = answer?.challenge.options;
    if (!options) return;
    const passkey = await getPasskey(options).catch((error: unknown) => onFailure(passkeyProblem(error)));
    if (passkey) await prove({ passkey });
  };
  return (
    <Stack>
      {extra}
      <Button onClick={() => void use()} loading={busy || challenge.busy} fullWidth data-autofocus>
        Use a passkey
      </Button>
    </Stack>
  );
}

interface ProofFormProps {
  busy: boolean;
  extra: ReactNode;
  onSubmit: () => Promise<void>;
  children: ReactNode;
}

function ProofForm({ busy, extra, onSubmit, children }: ProofFormProps) {
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    void onSubmit();
  };
  return (
    <form onSubmit={send}>
      <Stack>
        {children}
        {extra}
        <Button type="submit" loading={busy} fullWidth>
          Continue
        </Button>
      </Stack>
    </form>
  );
}
