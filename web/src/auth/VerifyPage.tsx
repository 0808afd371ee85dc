import { Anchor, Button, PasswordInput, Stack, Text } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import { useAct } from '../api/useAct';
import { Link, useSecrets } from '../app/router';
import { ProblemNote } from '../ui/ProblemNote';
import { BrokenLink } from './BrokenLink';
import { Frame } from './Frame';
import { NextStep } from './NextStep';
import { VERIFY_EMAIL } from './operations';
import { pending } from './pending';
import { StayCheckbox } from './StayCheckbox';
import { useArrival } from './useArrival';

/** `/verify#token=…`: makes the account that was asked for, when a person says so. */
export default function VerifyPage() {
  const secrets = useSecrets();
  const token = secrets.get('token');
  return token ? <Body key={secrets.serial} token={token} /> : <BrokenLink />;
}

function Body({ token }: { token: string }) {
  const { run, busy, failure, setFailure } = useAct(VERIFY_EMAIL);
  const arrival = useArrival();
  const [waiting] = useState(() => pending(Date.now()));
  const [password, setPassword] = useState('');
  // The registration that waits here may be another one than the link's.
  const [foreign, setForeign] = useState(false);
  if (arrival.step) return <NextStep step={arrival.step} arrival={arrival} />;

  const byPassword = !waiting || foreign;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const proof = byPassword ? { password } : { flow: waiting.flow };
    const answer = await run({ input: { token, ...proof, remember: arrival.stay, transport: 'COOKIE' } }, (problem) => {
      setFailure(problem);
      if (problem?.code === 'TICKET_INVALID') setForeign(true);
    });
    if (answer) arrival.arrive(answer.verifyEmail.result);
  };
  return (
    <Frame
      title="Confirm your address"
      lead={byPassword ? 'And show that the account is yours.' : <>For the account that was asked for with {waiting.email}.</>}
      foot={
        <Anchor component={Link} href="/sign-in" size="sm">
          Another way in
        </Anchor>
      }
    >
      <form onSubmit={(event) => void submit(event)} data-testid="verify">
        <Stack>
          {failure && <ProblemNote problem={failure} />}
          {byPassword && (
            <>
              <Text size="sm">
                The account was asked for in another browser. Enter the password that was chosen there, or type the code of the mail
                there.
              </Text>
              <PasswordInput
                label="Password"
                name="password"
                autoComplete="current-password"
                required
                withAsterisk={false}
                autoFocus
                value={password}
                onChange={(e) => setPassword(e.currentTarget.value)}
              />
            </>
          )}
          <StayCheckbox arrival={arrival} />
          <Button type="submit" loading={busy} autoFocus={!byPassword} fullWidth>
            Confirm and sign in
          </Button>
        </Stack>
      </form>
    </Frame>
  );
}
