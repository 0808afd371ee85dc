import { Badge, Button, Checkbox, FileInput, Group, Progress, Stack, Table, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { formatOf, type ImportResult, percentOf, refusalOf, resultOf } from './importing';
import { type ContentType, JOB } from './operations';

/** Makes documents of the rows of a file, and shows how far that is. */
export function ImportPanel({ type }: { type: ContentType }) {
  const [file, setFile] = useState<File | null>(null);
  const [dryRun, setDryRun] = useState(true);
  const [skip, setSkip] = useState(true);
  const [job, setJob] = useState<string | null>(null);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const format = file && formatOf(file.name);

  const start = async () => {
    if (!file || !format) return;
    setBusy(true);
    setRefusal(null);
    setJob(null);
    const query = new URLSearchParams({ type: type.key, format, dryRun: String(dryRun), onError: skip ? 'skip' : 'stop' });
    try {
      const answer = await fetch(`/imports?${query}`, { method: 'POST', body: file });
      const body: unknown = await answer.json();
      if (answer.ok) setJob((body as { job: string }).job);
      else setRefusal(refusalOf(body));
    } catch {
      setRefusal('The file did not arrive. Try again.');
    }
    setBusy(false);
  };

  return (
    <Panel title="Import" hint="A CSV with a header, a JSON array, or one JSON object on each line" data-testid="import">
      <Stack gap="sm">
        <Group align="flex-end" gap="sm">
          <FileInput
            label="File"
            placeholder="Choose a file"
            accept=".csv,.json,.ndjson,.jsonl"
            value={file}
            onChange={setFile}
            error={file && !format ? 'Its name must end in .csv, .json or .ndjson' : undefined}
            clearable
            miw={220}
          />
          <Checkbox label="Only check" checked={dryRun} onChange={(e) => setDryRun(e.currentTarget.checked)} />
          <Checkbox label="Leave bad rows out" checked={skip} disabled={dryRun} onChange={(e) => setSkip(e.currentTarget.checked)} />
          <Button disabled={!format} loading={busy} onClick={() => void start()}>
            {dryRun ? 'Check' : 'Import'}
          </Button>
        </Group>
        {refusal && (
          <Text size="sm" c="red" role="alert">
            {refusal}
          </Text>
        )}
        {job && <Outcome key={job} id={job} />}
      </Stack>
    </Panel>
  );
}

/** How far an import is, and the rows that are no documents. */
function Outcome({ id }: { id: string }) {
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
  const result = resultOf(job.result);
  return (
    <Stack gap="xs">
      <Progress value={percentOf(job)} aria-label="Progress of the import" animated={!ended} color={job.state === 'FAILED' ? 'red' : undefined} />
      <Group gap="xs" aria-live="polite">
        <Badge variant="light">{job.state.toLowerCase()}</Badge>
        <Text size="sm">
          {result.read} rows read, {result.made} documents made, {result.bad} bad rows
          {result.refused && ` — ended by ${result.refused}`}
          {job.errorCode && ` — ${job.errorCode}`}
        </Text>
      </Group>
      {result.problems.length > 0 && <Problems result={result} />}
    </Stack>
  );
}

function Problems({ result }: { result: ImportResult }) {
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table aria-label="Bad rows">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Row</Table.Th>
            <Table.Th>Where</Table.Th>
            <Table.Th>What</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {result.problems.slice(0, 50).map((p) => (
            <Table.Tr key={`${p.row} ${p.pointer}`}>
              <Table.Td>{p.row}</Table.Td>
              <Table.Td>{p.pointer}</Table.Td>
              <Table.Td>{p.message}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
