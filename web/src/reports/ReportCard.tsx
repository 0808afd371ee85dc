import { Badge, Group, Paper, SegmentedControl, Skeleton, Text, Title } from '@mantine/core';
import { useMemo } from 'react';
import { useQuery } from 'urql';

import { type Problem, problem, problemOf } from '../api/problem';
import { useLive } from '../live/useLive';
import { DownloadMenu } from '../ui/DownloadMenu';
import { ProblemNote } from '../ui/ProblemNote';
import type { Draft, Kind } from './draft';
import { READ_REPORT, type ReadReport, type ReportInput } from './operations';
import { ReportFacts } from './ReportFacts';
import { ReportPicture } from './ReportPicture';
import { aggregateWords, stepWords } from './words';

const kinds: { value: Kind; label: string }[] = [
  { value: 'line', label: 'Line' },
  { value: 'bars', label: 'Bars' },
  { value: 'area', label: 'Area' },
  { value: 'table', label: 'Table' },
  { value: 'value', label: 'Value' },
];

interface Props {
  draft: Draft;
  input: ReportInput;
  onKind: (kind: Kind) => void;
}

/** The report a draft asks for: live if it is given by `last`. */
export function ReportCard(props: Props) {
  return props.input.last ? <Live {...props} /> : <Once {...props} />;
}

function Live(props: Props) {
  const { channels, problem: broken, retry } = useLive([{ key: 'report', report: props.input }]);
  const channel = channels['report'];
  const refused = channel?.error && problem(channel.error.code, channel.error.message);
  const report = channel?.data?.__typename === 'Report' ? channel.data : undefined;
  return <Card {...props} live report={report} failure={refused ?? broken} onRetry={retry} />;
}

function Once(props: Props) {
  const [{ data, error, fetching }, again] = useQuery({ query: READ_REPORT, variables: { input: props.input }, requestPolicy: 'cache-and-network' });
  const report = fetching ? undefined : data?.report;
  return <Card {...props} report={report} failure={error ? problemOf(error) : null} onRetry={() => again({ requestPolicy: 'network-only' })} />;
}

interface CardProps extends Props {
  live?: boolean;
  report: ReadReport | undefined;
  failure: Problem | null;
  onRetry: () => void;
}

function Card({ draft, input, live, report, failure, onRetry, onKind }: CardProps) {
  const picture = useMemo(() => report && <ReportPicture report={report} kind={draft.kind} zone={draft.zone} />, [report, draft.kind, draft.zone]);
  return (
    <Paper withBorder p="md" component="section" aria-label="The report" data-testid="report">
      <Group justify="space-between" mb="sm" gap="sm">
        <div>
          <Title order={2} fz="sm" fw={600}>
            {draft.metric}
          </Title>
          <Group gap={6}>
            <Text size="xs" c="dimmed">
              {aggregateWords[draft.aggregate]}, by the {stepWords[draft.step].toLowerCase()}
            </Text>
            {live && (
              <Badge size="xs" variant="light" tt="none">
                Live
              </Badge>
            )}
          </Group>
        </div>
        <Group gap="xs">
          <SegmentedControl size="xs" data={kinds} value={draft.kind} onChange={(v) => onKind(v as Kind)} aria-label="Kind of picture" />
          <DownloadMenu href={(format) => `/exports/report?${new URLSearchParams({ report: JSON.stringify(input), format })}`} />
        </Group>
      </Group>
      {failure && <ProblemNote problem={failure} onRetry={onRetry} mb="md" />}
      {!failure && (picture ?? <Skeleton h={320} />)}
      {!failure && report && <ReportFacts report={report} zone={draft.zone} />}
    </Paper>
  );
}
