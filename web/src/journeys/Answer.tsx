import { Badge, Group, Paper, Skeleton, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { problem } from '../api/problem';
import { plural } from '../format/text';
import type { ChannelInput, State } from '../live/message';
import { type LiveState, useLive } from '../live/useLive';
import { Empty } from '../ui/Empty';
import { ProblemNote } from '../ui/ProblemNote';

interface Props<T extends State['__typename']> {
  /** What is asked; null while it is not whole. */
  channel: Omit<ChannelInput, 'key'> | null;
  kind: T;
  /** What is to be told to ask. */
  hint: string;
  children: (data: Extract<State, { __typename: T }>) => ReactNode;
}

/** What a journey channel tells, as it goes on. */
export function Answer<T extends 'Funnel' | 'Retention' | 'Paths'>(props: Props<T>) {
  return (
    <Paper withBorder p="md" component="section" aria-label="The answer" data-testid="answer">
      {props.channel ? <Followed {...props} channel={props.channel} /> : <Empty title="Nothing is asked yet">{props.hint}</Empty>}
    </Paper>
  );
}

function Followed<T extends 'Funnel' | 'Retention' | 'Paths'>({ channel, kind, children }: Props<T> & { channel: Omit<ChannelInput, 'key'> }) {
  const { channels, problem: broken, retry } = useLive([{ key: 'journey', ...channel }]);
  const failure = failureOf(channels['journey'], broken);
  const data = channels['journey']?.data;
  if (failure) return <ProblemNote problem={failure} onRetry={retry} />;
  if (data?.__typename !== kind) return <Skeleton h={260} />;
  const told = data as Extract<State, { __typename: T }>;
  return (
    <>
      {children(told)}
      <Group gap="xs" mt="md">
        <Badge size="xs" variant="light" tt="none">
          Live
        </Badge>
        <Text size="xs" c="dimmed" className="bb-numeric">
          {'read' in told && `${plural(told.read, 'event')} read`}
        </Text>
      </Group>
    </>
  );
}

function failureOf(channel: LiveState['channels'][string] | undefined, broken: LiveState['problem']) {
  return channel?.error ? problem(channel.error.code, channel.error.message) : broken;
}
