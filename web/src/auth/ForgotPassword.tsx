import { Button } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { dateTime } from '../format/time';
import { AddressForm } from './AddressForm';
import { Frame } from './Frame';
import type { ModeProps } from './mode';
import { StartAgain } from './NextStep';
import { REQUEST_PASSWORD_RESET } from './operations';
import { ResetForm } from './ResetForm';

/** Leads to a new password by a mail. Whether there is an account is told in the mail alone. */
export function ForgotPassword({ email, onEmail, onMode }: ModeProps) {
  const { run, busy, failure } = useAct(REQUEST_PASSWORD_RESET);
  const [sent, setSent] = useState<{ flow: string; expiresAt: string } | null>(null);
  const send = async () => {
    const answer = await run({ input: { email } });
    if (answer) setSent(answer.requestPasswordReset);
  };
  const back = <StartAgain onClick={() => onMode('signIn')}>Back to signing in</StartAgain>;
  if (!sent) {
    return (
      <Frame title="Forgot your password?" lead="We send you a code and a link to choose a new one with." foot={back}>
        <AddressForm
          email={email}
          onEmail={onEmail}
          submit="Send the mail"
          busy={busy}
          failure={failure}
          onSubmit={() => void send()}
        />
      </Frame>
    );
  }
  return (
    <Frame
      title="Choose a new password"
      lead={
        <>
          If <strong>{email}</strong> has an account, a code and a link are on their way. They are good until{' '}
          {dateTime(sent.expiresAt)}.
        </>
      }
      foot={back}
    >
      <ResetForm
        by={{ flow: sent.flow }}
        done={
          <Button onClick={() => onMode('signIn')} autoFocus fullWidth>
            Sign in
          </Button>
        }
      />
    </Frame>
  );
}
