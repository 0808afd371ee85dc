import { Badge, Group, Skeleton, Text } from '@mantine/core';

import { problem } from '../api/problem';
import { plural } from '../format/text';
import { clockSeconds } from '../format/time';
import { useLive } from '../live/useLive';
import { ProblemNote } from '../ui/ProblemNote';
import { EventTable } from './EventTable';
import type { EventFilter } from './operations';

/** The last events that pass the filter, and each that is stored. */
export function Tail({ filter }: { filter: EventFilter }) {
  const { channels, problem: broken, retry } = useLive([{ key: 'tail', events: { filter, last: 50 } }]);
  const channel = channels['tail'];
  const failure = channel?.error ? problem(channel.error.code, channel.error.message) : broken;
  if (failure) return <ProblemNote problem={failure} onRetry={retry} />;
  if (channel?.data?.__typename !== 'EventTail') return <Skeleton h={320} />;
  const { events, skipped } = channel.data;
  return (
    <>
      <Group gap="xs">
        <Badge variant="light" tt="none">
          Live
        </Badge>
        <Text size="xs" c="dimmed" className="bb-numeric" data-testid="tail-at">
          {channel.at && `last change ${clockSeconds(channel.at)}`}
          {skipped > 0 && ` · ${plural(skipped, 'event')} came too fast to be shown`}
        </Text>
      </Group>
      <EventTable events={events} />
    </>
  );
}
