import { useState } from 'react';

import { useAct } from '../api/useAct';
import { dateTime } from '../format/time';
import { AddressForm } from './AddressForm';
import { CodeForm } from './CodeForm';
import { Frame } from './Frame';
import type { ModeProps } from './mode';
import { StartAgain } from './NextStep';
import { REQUEST_SIGN_IN_MAIL, SIGN_IN_WITH_MAIL } from './operations';
import { StayCheckbox } from './StayCheckbox';

/** Signs in by a code or a link that is mailed. Whether there is an account is told in the mail alone. */
export function MailSignIn({ email, onEmail, onMode, arrival }: ModeProps) {
  const request = useAct(REQUEST_SIGN_IN_MAIL);
  const finish = useAct(SIGN_IN_WITH_MAIL);
  const [sent, setSent] = useState<{ flow: string; expiresAt: string } | null>(null);

  const send = async () => {
    finish.setFailure(null);
    const answer = await request.run({ input: { email } });
    if (answer) setSent(answer.requestSignInMail);
    return answer !== null;
  };
  const signIn = async (flow: string, code: string) => {
    const answer = await finish.run({ input: { flow, code, remember: arrival.stay, transport: 'COOKIE' } });
    if (answer) arrival.arrive(answer.signInWithMail.result);
  };

  const back = <StartAgain onClick={() => onMode('signIn')}>Back to signing in</StartAgain>;
  if (!sent) {
    return (
      <Frame title="Sign in by mail" lead="We send you a code and a link; either lets you in once." foot={back}>
        <AddressForm
          email={email}
          onEmail={onEmail}
          submit="Send the mail"
          busy={request.busy}
          failure={request.failure}
          onSubmit={() => void send()}
        />
      </Frame>
    );
  }
  return (
    <Frame
      title="Look into your mail"
      lead={
        <>
          If <strong>{email}</strong> has an account, a code and a link are on their way. They are good until{' '}
          {dateTime(sent.expiresAt)}.
        </>
      }
      foot={back}
      data-testid="mail-step"
    >
      <CodeForm
        submit="Sign in"
        busy={finish.busy}
        failure={finish.failure ?? request.failure}
        onCode={(code) => void signIn(sent.flow, code)}
        extra={<StayCheckbox arrival={arrival} />}
        onResend={send}
      />
    </Frame>
  );
}
