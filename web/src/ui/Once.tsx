import { Button, Code, CopyButton, Group, Stack, Text } from '@mantine/core';

interface Props {
  /** What it is, for the button that copies it and for the name of the file. */
  what: string;
  text: string;
  'data-testid'?: string;
}

/** A secret that is shown this once, with the means to keep it. */
export function Once({ what, text, 'data-testid': testId }: Props) {
  return (
    <Stack gap="xs">
      <Code block aria-label={what} data-testid={testId} style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
        {text}
      </Code>
      <Group gap="xs">
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
        <Button size="compact-sm" variant="default" onClick={() => download(`${what.toLowerCase().replace(/\W+/g, '-')}.txt`, text)}>
          Download
        </Button>
        <Text size="xs" c="dimmed">
          It is not shown again.
        </Text>
      </Group>
    </Stack>
  );
}

/** Hands a text to the browser as a file to keep. */
export function download(name: string, text: string, type = 'text/plain'): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
