import { Alert, Anchor, Button, Group, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useMutation } from 'urql';

import { type Problem, problem, problemOf } from '../api/problem';
import { SchemeToggle } from '../app/SchemeToggle';
import { Icon } from '../ui/Icon';
import { Logo } from '../ui/Logo';
import { ProblemNote } from '../ui/ProblemNote';
import { REGISTER, SIGN_IN } from './operations';
import classes from './SignInPage.module.css';

type Mode = 'signIn' | 'register';

const copy = {
  signIn: {
    title: 'Sign in',
    lead: 'Welcome back.',
    submit: 'Sign in',
    ask: 'New here?',
    other: 'Create an account',
  },
  register: {
    title: 'Create an account',
    lead: 'You begin on the free plan, and can move at any time.',
    submit: 'Create account',
    ask: 'Have an account?',
    other: 'Sign in',
  },
};

/** Where a codes' problem belongs when the server names no field. */
const fieldOf: Record<string, string> = {
  EMAIL_TAKEN: 'input.email',
  EMAIL_INVALID: 'input.email',
  PASSWORD_WEAK: 'input.password',
};

interface Props {
  /** Whether a session has just ended under the user's hands. */
  ended: boolean;
  onSignedIn: () => void;
}

export function SignInPage({ ended, onSignedIn }: Props) {
  const [mode, setMode] = useState<Mode>('signIn');
  const [values, setValues] = useState({ name: '', email: '', password: '' });
  const [failure, setFailure] = useState<Problem | null>(null);
  const [signingIn, signIn] = useMutation(SIGN_IN);
  const [registering, register] = useMutation(REGISTER);
  const words = copy[mode];

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setFailure(null);
    const { name, email, password } = values;
    const transport = 'COOKIE' as const;
    const answer =
      mode === 'signIn'
        ? await signIn({ input: { email, password, transport } }).then((r) => ({ ...r, outcome: r.data?.signIn.result }))
        : await register({ input: { name, email, password, transport } }).then((r) => ({
            ...r,
            outcome: r.data?.register.result,
          }));
    if (answer.error) setFailure(problemOf(answer.error));
    else if (answer.outcome?.__typename === 'SignedIn') onSignedIn();
    else setFailure(problem('STEP_UNKNOWN', 'this account needs a further step that this console does not know yet'));
  };

  const blamed = failure && (failure.field ?? fieldOf[failure.code]);
  const field = (key: keyof typeof values) => ({
    name: key,
    value: values[key],
    required: true,
    withAsterisk: false,
    error: blamed === `input.${key}` && failure?.text,
    onChange: (event: { currentTarget: { value: string } }) =>
      setValues({ ...values, [key]: event.currentTarget.value }),
  });
  const hasOwnField = ['name', 'email', 'password'].some((key) => blamed === `input.${key}`);

  return (
    <div className={classes.page}>
      <Group className={classes.corner}>
        <SchemeToggle />
      </Group>
      <main className={classes.column}>
        <Group gap="sm" mb="lg" justify="center">
          <Logo size={36} />
          <Text fw={650} fz="xl">
            Backend Book
          </Text>
        </Group>
        <Paper p="xl" withBorder shadow="sm">
          <form onSubmit={(event) => void submit(event)} aria-labelledby="way-in" data-testid="sign-in">
            <Stack>
              <div>
                <Title order={1} fz="h3" id="way-in">
                  {words.title}
                </Title>
                <Text c="dimmed" size="sm">
                  {words.lead}
                </Text>
              </div>
              {ended && !failure && (
                <Alert color="yellow" variant="light" icon={<Icon name="alert" />}>
                  Your session has ended. Sign in to go on where you were.
                </Alert>
              )}
              {failure && !hasOwnField && <ProblemNote problem={failure} />}
              {mode === 'register' && <TextInput label="Name" autoComplete="name" maxLength={100} {...field('name')} />}
              <TextInput label="Mail address" type="email" autoComplete="username" autoFocus {...field('email')} />
              <PasswordInput
                label="Password"
                autoComplete={mode === 'signIn' ? 'current-password' : 'new-password'}
                description={mode === 'register' ? '8 to 128 characters, any characters' : undefined}
                {...field('password')}
              />
              <Button type="submit" loading={signingIn.fetching || registering.fetching} fullWidth>
                {words.submit}
              </Button>
            </Stack>
          </form>
        </Paper>
        <Text ta="center" size="sm" mt="md" c="dimmed">
          {words.ask}{' '}
          <Anchor
            component="button"
            type="button"
            size="sm"
            onClick={() => {
              setMode(mode === 'signIn' ? 'register' : 'signIn');
              setFailure(null);
            }}
          >
            {words.other}
          </Anchor>
        </Text>
      </main>
    </div>
  );
}
