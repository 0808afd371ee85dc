import { Button, Group, Modal, Stack } from '@mantine/core';
import type { ReactNode, SubmitEvent } from 'react';

import type { Problem } from '../api/problem';
import { ProblemNote } from './ProblemNote';

interface Props {
  title: string;
  submit: string;
  busy: boolean;
  failure: Problem | null;
  onSubmit: () => void;
  onClose: () => void;
  children: ReactNode;
  'data-testid'?: string;
}

/** A form in a dialog. While it runs it stays: another dialog may ask in front of it who is there. */
export function FormDialog({ title, submit, busy, failure, onSubmit, onClose, children, ...props }: Props) {
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      closeOnEscape={!busy}
      closeOnClickOutside={!busy}
      closeButtonProps={{ 'aria-label': 'Close' }}
      {...props}
    >
      <form onSubmit={send}>
        <Stack>
          {failure && <ProblemNote problem={failure} />}
          {children}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
