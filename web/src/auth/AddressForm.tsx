import { Button, Stack, TextInput } from '@mantine/core';
import type { SubmitEvent } from 'react';

import type { Problem } from '../api/problem';
import { ProblemNote } from '../ui/ProblemNote';

interface Props {
  email: string;
  onEmail: (email: string) => void;
  submit: string;
  busy: boolean;
  failure: Problem | null;
  onSubmit: () => void;
}

/** Asks where to send a mail. */
export function AddressForm({ email, onEmail, submit, busy, failure, onSubmit }: Props) {
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    onSubmit();
  };
  const own = failure?.code === 'EMAIL_INVALID';
  return (
    <form onSubmit={send}>
      <Stack>
        {failure && !own && <ProblemNote problem={failure} />}
        <TextInput
          label="Mail address"
          name="email"
          type="email"
          autoComplete="username"
          maxLength={254}
          required
          withAsterisk={false}
          autoFocus
          value={email}
          error={own && failure.text}
          onChange={(e) => onEmail(e.currentTarget.value)}
        />
        <Button type="submit" loading={busy} fullWidth>
          {submit}
        </Button>
      </Stack>
    </form>
  );
}
