import { Text } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { dateTime } from '../format/time';
import { CodeForm } from './CodeForm';
import { Frame } from './Frame';
import { StartAgain } from './NextStep';
import { RESEND_VERIFICATION, VERIFY_EMAIL } from './operations';
import { forget, remember } from './pending';
import { StayCheckbox } from './StayCheckbox';
import type { Arrival } from './useArrival';

interface Props {
  started: { flow: string; email: string; expiresAt: string };
  arrival: Arrival;
}

/** Waits for the code that shows that mails arrive. */
export function VerifyStep({ started, arrival }: Props) {
  const [current, setCurrent] = useState(started);
  const verify = useAct(VERIFY_EMAIL);
  const resend = useAct(RESEND_VERIFICATION);
  const { flow, email, expiresAt } = current;

  const confirm = async (code: string) => {
    const answer = await verify.run({ input: { flow, code, remember: arrival.stay, transport: 'COOKIE' } });
    if (answer) arrival.arrive(answer.verifyEmail.result);
  };
  const again = async () => {
    verify.setFailure(null);
    const answer = await resend.run({ input: { flow } });
    if (!answer) return false;
    const renewed = { email, ...answer.resendVerification };
    remember(renewed);
    setCurrent(renewed);
    return true;
  };
  const startAgain = () => {
    forget();
    arrival.restart();
  };

  return (
    <Frame
      title="Confirm your address"
      lead={
        <>
          A mail with a code is on its way to <strong>{email}</strong>. The code is good until {dateTime(expiresAt)}; the link in the
          mail does the same.
        </>
      }
      foot={
        <>
          Wrong address? <StartAgain onClick={startAgain} />
        </>
      }
      data-testid="verify-step"
    >
      <CodeForm
        submit="Confirm"
        busy={verify.busy}
        failure={verify.failure ?? resend.failure}
        onCode={(code) => void confirm(code)}
        extra={<StayCheckbox arrival={arrival} />}
        onResend={again}
      />
      <Text size="xs" c="dimmed">
        Nothing there? Look into the folder for spam. If you have an account already, the mail says so and holds no code.
      </Text>
    </Frame>
  );
}
