import { Box, Center, Skeleton } from '@mantine/core';
import type { ReactNode } from 'react';

import { problem } from '../api/problem';
import type { Channel } from '../live/message';
import { Empty } from '../ui/Empty';
import { ProblemNote } from '../ui/ProblemNote';

interface Props {
  channel: Channel | undefined;
  height: number;
  empty: boolean | undefined;
  emptyTitle: string;
  emptyHint: ReactNode;
  children: ReactNode;
}

/** What a panel shows of its channel: the state, or why there is none. */
export function ChannelBody({ channel, height, empty, emptyTitle, emptyHint, children }: Props) {
  if (channel?.error) return <ProblemNote problem={problem(channel.error.code, channel.error.message)} />;
  if (!channel?.data) return <Skeleton h={height} />;
  if (empty) {
    return (
      <Center mih={height}>
        <Empty title={emptyTitle}>{emptyHint}</Empty>
      </Center>
    );
  }
  return <Box>{children}</Box>;
}
