import { Anchor, Box, Button, Group, Paper, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { href, Link } from '../app/router';
import { plural } from '../format/text';
import { type Metric, METRICS } from '../reports/operations';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Icon } from '../ui/Icon';
import { NoAccess } from '../ui/NoAccess';
import { ProblemNote } from '../ui/ProblemNote';
import { DefineMetric } from './DefineMetric';
import { REBUILD_METRICS } from './operations';

/** The metrics, and what changes them. */
export default function MetricsPage() {
  const manages = useSession().viewer.permissions.includes('analytics.metric.manage');
  const [{ data, error }, again] = useQuery({ query: METRICS, requestPolicy: 'cache-and-network' });
  // The metric to change; null to make one.
  const [doing, setDoing] = useState<Metric | null | undefined>(undefined);
  const rebuild = useAct(REBUILD_METRICS);
  const [rebuilt, setRebuilt] = useState(0);
  if (error && !data) {
    const failure = problemOf(error);
    if (failure.code !== 'FORBIDDEN') return <ProblemNote problem={failure} onRetry={again} m="lg" />;
    return <NoAccess title="Metrics are closed to you">Your roles do not let you see the numbers of any metric.</NoAccess>;
  }
  if (!data) return <Skeleton h={420} mt="lg" />;
  const start = async () => {
    const answer = await rebuild.run({});
    if (answer) setRebuilt(answer.rebuildMetrics.metrics.length);
  };
  return (
    <Stack data-testid="metrics">
      <Group justify="space-between" gap="sm">
        <Box>
          <Title order={1} fz="h2">
            Metrics
          </Title>
          <Text size="sm" c="dimmed">
            Which events are counted, and what reports can ask of them.
          </Text>
        </Box>
        {manages && (
          <Group gap="xs">
            <ConfirmButton
              label="Rebuild"
              size="sm"
              question="Compute the numbers of all metrics anew from the stored events? Reports say meanwhile that they are not exact."
              loading={rebuild.busy}
              onConfirm={() => void start()}
            />
            <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setDoing(null)}>
              New metric
            </Button>
          </Group>
        )}
      </Group>
      {rebuild.failure && <ProblemNote problem={rebuild.failure} />}
      {rebuilt > 0 && (
        <Text size="sm" role="status">
          The numbers of {plural(rebuilt, 'metric')} are being computed anew.
        </Text>
      )}
      <Paper withBorder style={{ overflow: 'hidden' }}>
        <Table.ScrollContainer minWidth={760} type="native">
          <Table verticalSpacing={8} horizontalSpacing="md">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Metric</Table.Th>
                <Table.Th>Events</Table.Th>
                <Table.Th>Value</Table.Th>
                <Table.Th>Different ones of</Table.Th>
                <Table.Th>Dimensions</Table.Th>
                <Table.Th>Kept</Table.Th>
                {manages && <Table.Th aria-label="What can be done" />}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.metrics.map((m) => (
                <MetricRow key={m.key} metric={m} onChange={manages ? () => setDoing(m) : undefined} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Paper>
      {doing !== undefined && <DefineMetric metric={doing} onClose={() => setDoing(undefined)} />}
    </Stack>
  );
}

function MetricRow({ metric: m, onChange }: { metric: Metric; onChange: (() => void) | undefined }) {
  return (
    <Table.Tr data-testid={`metric-${m.key}`}>
      <Table.Td>
        <Anchor component={Link} size="sm" href={href('/reports', { q: JSON.stringify({ metric: m.key }) })}>
          {m.key}
        </Anchor>
      </Table.Td>
      <Table.Td>
        {m.event}
        {m.where.map((f) => (
          <Text key={`${f.dimension} ${f.not}`} size="xs" c="dimmed">
            {f.dimension} {f.not ? 'is not' : 'is'} {f.in.join(' or ')}
          </Text>
        ))}
      </Table.Td>
      <Table.Td>
        {m.value ?? '–'}
        {m.quantiles && (
          <Text size="xs" c="dimmed">
            with quantiles
          </Text>
        )}
      </Table.Td>
      <Table.Td>{m.unique ?? '–'}</Table.Td>
      <Table.Td>
        {m.dimensions.join(', ') || '–'}
        {m.dimensions.length > 0 && (
          <Text size="xs" c="dimmed">
            {plural(m.maxKeys, 'value')} each
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Text size="xs" c="dimmed">
          by the minute {plural(m.minuteDays, 'day')}
          <br />
          by the hour {plural(m.hourDays, 'day')}
        </Text>
      </Table.Td>
      {onChange && (
        <Table.Td ta="right">
          <Button size="compact-sm" variant="default" aria-label={`Change ${m.key}`} onClick={onChange}>
            Change
          </Button>
        </Table.Td>
      )}
    </Table.Tr>
  );
}
