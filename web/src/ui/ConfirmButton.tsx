import { Button, type ButtonProps, Group, Popover, Stack, Text } from '@mantine/core';
import { useState } from 'react';

interface Props extends ButtonProps {
  /** What the button says, and the one that does it. */
  label: string;
  /** What it does, said before it does it. */
  question: string;
  onConfirm: () => void;
  'aria-label'?: string;
}

/** A button for what is not easily undone: it asks once more. */
export function ConfirmButton({ label, question, onConfirm, ...props }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <Popover opened={open} onChange={setOpen} width={280} position="bottom-end" withArrow shadow="md" trapFocus>
      <Popover.Target>
        <Button size="compact-sm" variant="default" {...props} onClick={() => setOpen(!open)}>
          {label}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={question}>
        <Stack gap="sm">
          <Text size="sm">{question}</Text>
          <Group justify="flex-end" gap="xs">
            <Button size="compact-sm" variant="default" onClick={() => setOpen(false)}>
              Keep
            </Button>
            <Button
              size="compact-sm"
              color="red"
              data-autofocus
              onClick={() => {
                setOpen(false);
                onConfirm();
              }}
            >
              {label}
            </Button>
          </Group>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
