import { Alert, Button, Group, PasswordInput, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import { type Problem, problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { useSearch, useSecrets } from '../app/router';
import { endedWords } from '../session/ended';
import { useVisit } from '../session/viewer';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';
import { Farewell } from './Farewell';
import { Frame } from './Frame';
import type { ModeProps } from './mode';
import { StartAgain } from './NextStep';
import { SIGN_IN } from './operations';
import { OtherWays } from './OtherWays';
import { StayCheckbox } from './StayCheckbox';

/** Name and password, and the doors beside them. */
export function SignIn({ email, onEmail, onMode, arrival }: ModeProps) {
  const { ended, settings } = useVisit();
  const secrets = useSecrets();
  const anew = useSearch().get('anew') !== null;
  const { run, busy, failure, setFailure } = useAct(SIGN_IN);
  const [password, setPassword] = useState('');
  // Of the callback of a provider; gone with the next try.
  const [told, setTold] = useState<Problem | null>(() => {
    const code = secrets.get('error');
    return code ? problem(code, 'signing in did not work') : null;
  });
  const shown = failure ?? told;

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setTold(null);
    const answer = await run({ input: { identifier: email, password, remember: arrival.stay, transport: 'COOKIE' } });
    if (answer) arrival.arrive(answer.signIn.result);
  };
  const foot = settings.registration !== 'CLOSED' && (
    <>
      New here? <StartAgain onClick={() => onMode('register')}>Create an account</StartAgain>
    </>
  );

  return (
    <Frame title="Sign in" lead={anew ? 'Once more, to begin a session with its whole time.' : 'Welcome back.'} foot={foot}>
      <form onSubmit={(event) => void submit(event)} aria-label="Sign in" data-testid="sign-in">
        <Stack>
          {ended && !shown && (
            <Alert color="yellow" variant="light" icon={<Icon name="alert" />}>
              {endedWords(ended)}
            </Alert>
          )}
          <Farewell />
          {shown && <ProblemNote problem={shown} />}
          <TextInput
            label="Mail address or username"
            name="identifier"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={254}
            required
            withAsterisk={false}
            autoFocus
            value={email}
            onChange={(e) => onEmail(e.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            name="password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={password}
            onChange={(e) => setPassword(e.currentTarget.value)}
          />
          <StayCheckbox arrival={arrival} />
          <Button type="submit" loading={busy} fullWidth>
            Sign in
          </Button>
          <Group justify="flex-end">
            <StartAgain onClick={() => onMode('forgot')}>Forgot your password?</StartAgain>
          </Group>
        </Stack>
      </form>
      <OtherWays
        arrival={arrival}
        onMail={() => onMode('mail')}
        onFailure={(f) => {
          setTold(null);
          setFailure(f);
        }}
      />
    </Frame>
  );
}
