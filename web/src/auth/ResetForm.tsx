import { Button, Group, Stack, Text } from '@mantine/core';
import { type ReactNode, type SubmitEvent, useState } from 'react';

import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { ProblemNote } from '../ui/ProblemNote';
import { CodeInput } from './CodeInput';
import { MailboxLink } from './MailboxLink';
import { NewPassword } from './NewPassword';
import { RESET_PASSWORD } from './operations';

interface Props {
  /** What the new password is allowed by: the secret of a link, or the flow whose code is asked for. */
  by: { token: string } | { flow: string };
  /** The way on when it is done. */
  done: ReactNode;
}

/** Takes the new password, once. */
export function ResetForm({ by, done }: Props) {
  const { run, busy, failure } = useAct(RESET_PASSWORD);
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const [ended, setEnded] = useState<number | null>(null);
  const byCode = 'flow' in by;

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const answer = await run({ input: { ...by, ...(byCode && { code }), password } });
    if (answer) setEnded(answer.resetPassword.ended);
  };
  if (ended !== null) {
    return (
      <Stack data-testid="reset-done">
        <Text size="sm" role="status">
          Your password is changed, and {ended === 0 ? 'you were signed in nowhere' : `${plural(ended, 'session')} ended`}. Sign in
          with the new one; your second factor is still wanted if you have one.
        </Text>
        {done}
      </Stack>
    );
  }
  const weak = failure?.code === 'PASSWORD_WEAK';
  return (
    <form onSubmit={(event) => void submit(event)} data-testid="reset">
      <Stack>
        {failure && !weak && <ProblemNote problem={failure} />}
        {byCode && <CodeInput value={code} onChange={setCode} />}
        <NewPassword
          label="New password"
          value={password}
          onChange={setPassword}
          error={weak && failure.text}
          autoFocus={!byCode}
        />
        <Button type="submit" loading={busy} fullWidth>
          Change password
        </Button>
        {byCode && (
          <Group>
            <MailboxLink />
          </Group>
        )}
      </Stack>
    </form>
  );
}
