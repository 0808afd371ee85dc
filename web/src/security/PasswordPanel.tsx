import { Button, Group, PasswordInput, Stack, Text } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import { useAct } from '../api/useAct';
import { NewPassword } from '../auth/NewPassword';
import { plural } from '../format/text';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { CHANGE_PASSWORD } from './operations';

interface Props {
  hasPassword: boolean;
  /** For password managers, which keep the two together. */
  email: string | null;
  reload: () => void;
}

/** Changes the password, or sets the first one. */
export function PasswordPanel({ hasPassword, email, reload }: Props) {
  const { run, busy, failure } = useAct(CHANGE_PASSWORD);
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [ended, setEnded] = useState<number | null>(null);

  const change = async (event: SubmitEvent) => {
    event.preventDefault();
    setEnded(null);
    const answer = await run({ input: { current: hasPassword ? current : null, password } });
    if (!answer) return;
    setCurrent('');
    setPassword('');
    setEnded(answer.changePassword.ended);
    reload();
  };
  const wrong = failure?.code === 'BAD_CREDENTIALS';
  const weak = failure?.code === 'PASSWORD_WEAK';
  return (
    <Panel
      title="Password"
      hint={hasPassword ? 'A change ends all other sessions' : 'You have none: you sign in by other ways'}
      data-testid="panel-password"
    >
      <form onSubmit={(event) => void change(event)}>
        <Stack gap="sm">
          <input type="text" name="account" autoComplete="username" value={email ?? ''} readOnly hidden />
          {failure && !wrong && !weak && <ProblemNote problem={failure} />}
          {hasPassword && (
            <PasswordInput
              label="Current password"
              name="password"
              autoComplete="current-password"
              required
              withAsterisk={false}
              value={current}
              error={wrong && 'This is not your password.'}
              onChange={(e) => setCurrent(e.currentTarget.value)}
            />
          )}
          <NewPassword label="New password" value={password} onChange={setPassword} error={weak && failure.text} />
          <Group justify="space-between">
            <Text size="sm" c="teal" role="status">
              {ended !== null && `Changed. ${plural(ended, 'other session')} ended.`}
            </Text>
            <Button type="submit" size="sm" loading={busy}>
              {hasPassword ? 'Change password' : 'Set password'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
