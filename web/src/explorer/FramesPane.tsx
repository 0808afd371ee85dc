import { Badge, Button, Group, ScrollArea, SimpleGrid, Text } from '@mantine/core';

import classes from './ExplorerPage.module.css';
import { following, type Frame, type Frames } from './frames';

interface Props {
  frames: Frames;
  cut(): void;
  close(): void;
}

const colours: Record<string, string> = { SNAPSHOT: 'blue', DELTA: 'gray', RESUMED: 'teal', RESYNC: 'orange', NOTICE: 'red', CUT: 'red', END: 'gray' };

/** The messages of a subscription, by channel, and the way to see how it survives a cut. */
export function FramesPane({ frames, cut, close }: Props) {
  const channels = Object.entries(frames);
  if (channels.length === 0) return null;
  return (
    <section className={classes.pane} aria-label="Frames" data-testid="frames">
      <Group gap="md" px="md" py={6}>
        <Text size="xs">Frames, the newest first</Text>
        <Button size="compact-xs" variant="light" color="red" onClick={cut} disabled={!following(frames)}>
          Cut the connection
        </Button>
        {!following(frames) && (
          <Button size="compact-xs" variant="default" onClick={close}>
            Close
          </Button>
        )}
      </Group>
      <SimpleGrid cols={{ base: 1, sm: Math.min(channels.length, 4) }} className={classes.frames} px="md" pb="xs" spacing="md">
        {channels.map(([channel, list]) => (
          <div key={channel} data-testid={`frames-${channel}`}>
            <Text size="xs" fw={600}>
              {channel}
            </Text>
            <ScrollArea h={110}>
              {list.map((frame) => (
                <Row key={frame.id} frame={frame} />
              ))}
            </ScrollArea>
          </div>
        ))}
      </SimpleGrid>
    </section>
  );
}

function Row({ frame }: { frame: Frame }) {
  const { kind, seq, firstSeq, cursor, bytes, code } = frame;
  const numbers = firstSeq !== undefined && seq !== undefined && firstSeq < seq ? `${firstSeq}–${seq}` : seq;
  return (
    <Group gap={8} wrap="nowrap" data-kind={kind}>
      <Badge size="xs" radius="sm" variant="light" color={colours[kind] ?? 'gray'} miw={76}>
        {kind}
      </Badge>
      {bytes > 0 && (
        <>
          <Text size="xs" miw={28} ta="right">
            {numbers}
          </Text>
          <Text size="xs" miw={56} ta="right">
            {bytes.toLocaleString('en')} B
          </Text>
          <Text size="xs" c="dimmed" truncate title={cursor ?? undefined}>
            {code ?? cursor ?? ''}
          </Text>
        </>
      )}
    </Group>
  );
}
