import { Box, Group, SegmentedControl, SimpleGrid, Text, Title } from '@mantine/core';
import { useMemo, useState } from 'react';

import { clockSeconds } from '../format/time';
import { useLive } from '../live/useLive';
import { NoAccess } from '../ui/NoAccess';
import { ProblemNote } from '../ui/ProblemNote';
import { dashboardChannels } from './channels';
import classes from './DashboardPage.module.css';
import { DelayPanel, FlightsPanel } from './ReportPanels';
import { NewestPanel } from './NewestPanel';
import { OriginsPanel } from './OriginsPanel';
import { Tiles } from './Tiles';

const windows = [
  { value: '15', label: '15 min' },
  { value: '30', label: '30 min' },
  { value: '60', label: '1 hour' },
  { value: '180', label: '3 hours' },
];

export default function DashboardPage() {
  const [minutes, setMinutes] = useState('30');
  const channels = useMemo(() => dashboardChannels(Number(minutes)), [minutes]);
  const { channels: live, problem, retry } = useLive(channels);
  if (Object.values(live).every((c) => c.error?.code === 'FORBIDDEN')) return <Closed />;
  const at = latest(Object.values(live).map((c) => c.at));
  return (
    <div>
      <Group justify="space-between" mb="md" gap="sm">
        <Box>
          <Title order={1} fz="h2">
            Flights
          </Title>
          <Text size="sm" c="dimmed" className="bb-numeric" data-testid="last-change">
            {at ? `Live over one socket · last change ${clockSeconds(at)}` : 'Waiting for the first numbers'}
          </Text>
        </Box>
        <SegmentedControl data={windows} value={minutes} onChange={setMinutes} aria-label="Window of the reports" />
      </Group>
      {problem && <ProblemNote problem={problem} onRetry={retry} mb="md" />}
      <Tiles flights={live['flights']} delay={live['delay']} origins={live['origins']} />
      <div className={classes.grid}>
        <SimpleGrid cols={1} spacing="md" className={classes.charts}>
          <FlightsPanel channel={live['flights']} />
          <DelayPanel channel={live['delay']} />
        </SimpleGrid>
        <OriginsPanel channel={live['origins']} />
        <NewestPanel channels={live} />
      </div>
    </div>
  );
}

/** For those who may see none of it. */
function Closed() {
  return (
    <NoAccess title="Your roles do not show you the flights">
      Reports and documents need a role that may read them. A plan may bring one.
    </NoAccess>
  );
}

/** RFC 3339 times of one form: the last by text is the last by time. */
function latest(times: (string | null)[]): string | null {
  return times.reduce((last, at) => (at && (!last || at > last) ? at : last), null);
}
