import { Anchor, Button } from '@mantine/core';

import { useAct } from '../api/useAct';
import { Link, useSecrets } from '../app/router';
import { ProblemNote } from '../ui/ProblemNote';
import { BrokenLink } from './BrokenLink';
import { Frame } from './Frame';
import { NextStep } from './NextStep';
import { SIGN_IN_WITH_MAIL } from './operations';
import { StayCheckbox } from './StayCheckbox';
import { useArrival } from './useArrival';

/** `/sign-in/link#token=…`: signs in by a mail, but not before a person says so. Programs open links, too. */
export default function LinkPage() {
  const secrets = useSecrets();
  const token = secrets.get('token');
  return token ? <Body key={secrets.serial} token={token} /> : <BrokenLink />;
}

function Body({ token }: { token: string }) {
  const { run, busy, failure } = useAct(SIGN_IN_WITH_MAIL);
  const arrival = useArrival();
  if (arrival.step) return <NextStep step={arrival.step} arrival={arrival} />;
  const signIn = async () => {
    const answer = await run({ input: { token, remember: arrival.stay, transport: 'COOKIE' } });
    if (answer) arrival.arrive(answer.signInWithMail.result);
  };
  return (
    <Frame
      title="Sign in"
      lead="Your mail brought you here. Its link is good once."
      foot={
        <Anchor component={Link} href="/sign-in" size="sm">
          Another way in
        </Anchor>
      }
    >
      {failure && <ProblemNote problem={failure} />}
      <StayCheckbox arrival={arrival} />
      <Button loading={busy} onClick={() => void signIn()} autoFocus fullWidth>
        Sign in
      </Button>
    </Frame>
  );
}
