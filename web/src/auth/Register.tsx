import { Anchor, Button, Checkbox, Stack, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import { blamed } from '../api/problem';
import { useAct } from '../api/useAct';
import { useSecrets } from '../app/router';
import { type AuthSettings, useVisit } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { ProblemNote } from '../ui/ProblemNote';
import { Frame } from './Frame';
import type { ModeProps } from './mode';
import { NewPassword } from './NewPassword';
import { StartAgain } from './NextStep';
import { REGISTER } from './operations';
import { ProviderButtons } from './ProviderButtons';

/** What a code is about when the server names no input. */
const inputOf = { EMAIL_INVALID: 'email', PASSWORD_WEAK: 'password' };

/** Asks for an account, or for a guest's to be kept. */
export function Register({ email, onEmail, onMode, arrival }: ModeProps) {
  const { settings, viewer } = useVisit();
  const invitation = useSecrets().get('invitation');
  const { run, busy, failure, setFailure } = useAct(REGISTER);
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [withPassword, setWithPassword] = useState(true);
  const [accepted, setAccepted] = useState(false);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const answer = await run({
      input: {
        name,
        email,
        password: withPassword ? password : null,
        invitation,
        acceptTerms: accepted ? settings.termsVersion : null,
        locale: navigator.language,
      },
    });
    if (answer) arrival.arrive(answer.register.result);
  };

  const guest = viewer?.user.kind === 'ANONYMOUS';
  const words = lines(guest, invitation !== null);
  const foot = (
    <>
      Have an account? <StartAgain onClick={() => onMode('signIn')}>Sign in</StartAgain>
    </>
  );
  const shut = closed(settings, invitation !== null);
  if (shut) {
    return (
      <Frame title="Create an account" foot={foot} data-testid="registration-closed">
        <Empty title={shut.title} icon="access">
          {shut.text}
        </Empty>
      </Frame>
    );
  }
  const input = blamed(failure, inputOf);
  const errorOf = (of: string) => input === of && failure?.text;
  return (
    <Frame title={words.title} lead={words.lead} foot={foot}>
      <form onSubmit={(event) => void submit(event)} aria-label={words.title} data-testid="register">
        <Stack>
          {failure && !['name', 'email', 'password'].includes(input ?? '') && <ProblemNote problem={failure} />}
          <TextInput
            label="Name"
            name="name"
            autoComplete="name"
            maxLength={100}
            required
            withAsterisk={false}
            autoFocus
            value={name}
            error={errorOf('name')}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <TextInput
            label="Mail address"
            name="email"
            type="email"
            autoComplete="username"
            description={domains(settings.allowedDomains)}
            maxLength={254}
            required
            withAsterisk={false}
            value={email}
            error={errorOf('email')}
            onChange={(e) => onEmail(e.currentTarget.value)}
          />
          {withPassword && <NewPassword value={password} onChange={setPassword} error={errorOf('password')} />}
          <Text size="sm" c="dimmed">
            {withPassword ? 'Rather not have one? ' : 'You sign in by mail, passkey or provider. '}
            <Anchor component="button" type="button" size="sm" onClick={() => setWithPassword(!withPassword)}>
              {withPassword ? 'Go without a password' : 'Choose a password'}
            </Anchor>
          </Text>
          {settings.termsVersion && (
            <Checkbox
              name="terms"
              label={`I accept the terms of use (version ${settings.termsVersion})`}
              required
              checked={accepted}
              onChange={(e) => setAccepted(e.currentTarget.checked)}
            />
          )}
          <Button type="submit" loading={busy} fullWidth>
            Create account
          </Button>
          {!guest && <ProviderButtons onFailure={setFailure} />}
        </Stack>
      </form>
    </Frame>
  );
}

function lines(guest: boolean, invited: boolean) {
  if (guest) return { title: 'Keep your account', lead: 'What you have made as a guest stays yours, under the same id.' };
  if (invited) return { title: 'Create an account', lead: 'You are invited. Use the address the invitation was sent to.' };
  return { title: 'Create an account', lead: 'You begin on the free plan, and can move at any time.' };
}

function closed({ registration }: AuthSettings, invited: boolean) {
  if (registration === 'CLOSED') {
    return { title: 'No new accounts are made here', text: 'If you should have one, ask those who run this server.' };
  }
  if (registration === 'INVITATION' && !invited) {
    return { title: 'You need an invitation', text: 'It comes by mail. Open its link, and you are led back here.' };
  }
  return null;
}

function domains(allowed: string[]) {
  return allowed.length > 0 ? `An address at ${allowed.join(', ')}` : undefined;
}
