import { Button, Modal, Stack, Text } from '@mantine/core';

import { Once } from '../ui/Once';

/** Shows recovery codes, this once. Only the button closes it: they are easily lost by a click beside it. */
export function RecoveryCodes({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  return (
    <Modal
      opened
      onClose={onClose}
      title="Your recovery codes"
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
      data-testid="recovery-codes"
    >
      <Stack>
        <Text size="sm">
          Each lets you in once, when your app or passkey is lost. Keep them where you keep what must not get lost.
        </Text>
        <Once what="Recovery codes" text={codes.join('\n')} data-testid="codes" />
        <Button onClick={onClose} fullWidth>
          I have kept them
        </Button>
      </Stack>
    </Modal>
  );
}
