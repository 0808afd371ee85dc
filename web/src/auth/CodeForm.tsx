import { Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { type ReactNode, type SubmitEvent, useState } from 'react';

import type { Problem } from '../api/problem';
import { ProblemNote } from '../ui/ProblemNote';
import { CodeInput } from './CodeInput';
import { MailboxLink } from './MailboxLink';

interface Props {
  submit: string;
  busy: boolean;
  failure: Problem | null;
  onCode: (code: string) => void;
  /** Stands before the button that sends the code. */
  extra?: ReactNode;
  /** Sends the mail once more and tells whether that worked; left out where it can't be. */
  onResend?: (() => Promise<boolean>) | undefined;
}

/** Takes the code that was mailed. */
export function CodeForm({ submit, busy, failure, onCode, extra, onResend }: Props) {
  const [code, setCode] = useState('');
  const [sentAgain, setSentAgain] = useState(false);
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    setSentAgain(false);
    onCode(code);
  };
  const resend = async () => {
    setCode('');
    setSentAgain((await onResend?.()) ?? false);
  };
  return (
    <form onSubmit={send} data-testid="code-form">
      <Stack>
        {failure && <ProblemNote problem={failure} />}
        <CodeInput value={code} onChange={setCode} />
        {extra}
        <Button type="submit" loading={busy} fullWidth>
          {submit}
        </Button>
        <Group justify="space-between" gap="xs">
          {onResend && (
            <Anchor component="button" type="button" size="sm" onClick={() => void resend()}>
              Send it again
            </Anchor>
          )}
          <MailboxLink />
        </Group>
        <Text size="sm" c="dimmed" role="status">
          {sentAgain && 'Sent. Only the newest code counts.'}
        </Text>
      </Stack>
    </form>
  );
}
