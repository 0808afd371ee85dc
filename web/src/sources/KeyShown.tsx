import { Button, Code, Modal, Stack, Text } from '@mantine/core';

import { Once } from '../ui/Once';

/** A new ingest key, this once, and how it is used. */
export function KeyShown({ text, onClose }: { text: string; onClose: () => void }) {
  return (
    <Modal
      opened
      onClose={onClose}
      title="The ingest key"
      size="lg"
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
      data-testid="ingest-key"
    >
      <Stack>
        <Once what="Ingest key" text={text} data-testid="token" />
        <Text size="sm">In a page:</Text>
        <Code block style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
          {`<script src="${location.origin}/track.js" data-key="${text}"></script>`}
        </Code>
        <Text size="sm">
          A program sends lines of JSON to <Code>POST /events</Code> with <Code>Authorization: Bearer …</Code>.
        </Text>
        <Button onClick={onClose} fullWidth>
          I have kept it
        </Button>
      </Stack>
    </Modal>
  );
}
