import { Anchor, Badge, Group, Progress, Stack, Text } from '@mantine/core';
import { useEffect } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { percentOf } from '../documents/importing';
import { JOB } from '../documents/operations';
import { plural } from '../format/text';
import { clock } from '../format/time';
import { ProblemNote } from '../ui/ProblemNote';

/** How far the file of an export is, and where it is in the end. */
export function ExportJob({ id }: { id: string }) {
  const [{ data, error }, again] = useQuery({ query: JOB, variables: { id }, requestPolicy: 'network-only' });
  const job = data?.job;
  const ended = job && job.state !== 'WAITING' && job.state !== 'RUNNING';
  useEffect(() => {
    if (ended || error) return;
    const timer = setInterval(() => again({ requestPolicy: 'network-only' }), 700);
    return () => clearInterval(timer);
  }, [ended, error, again]);
  if (error) return <ProblemNote problem={problemOf(error)} onRetry={again} />;
  if (!job) return null;
  const { counts, file, until } = (job.result ?? {}) as { counts?: { rows?: number }; file?: string; until?: string };
  return (
    <Stack gap={6} data-testid="export-job">
      <Progress value={percentOf(job)} aria-label="Progress of the export" animated={!ended} color={job.state === 'FAILED' ? 'red' : undefined} />
      <Group gap="xs" aria-live="polite">
        <Badge variant="light">{job.state.toLowerCase()}</Badge>
        <Text size="sm">
          {plural(counts?.rows ?? 0, 'row')} written{job.errorCode && ` — ${job.errorCode}`}
        </Text>
        {file && (
          <Anchor size="sm" href={file} download>
            Download the file
          </Anchor>
        )}
        {until && (
          <Text size="xs" c="dimmed">
            kept until {clock(until)}
          </Text>
        )}
      </Group>
    </Stack>
  );
}
