import { Anchor, Text } from '@mantine/core';

import { useVisit } from '../session/viewer';

/** The way to the development mailbox, where mails stay in it. In a tab of its own: this one waits for the code. */
export function MailboxLink() {
  const { settings } = useVisit();
  if (!settings.mailbox) return null;
  return (
    <Text size="sm">
      <Anchor href="/mailbox" target="_blank" rel="noopener" size="sm">
        Open the development mailbox
      </Anchor>
    </Text>
  );
}
