import { Button, Group, List, Modal, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { ProblemNote } from '../ui/ProblemNote';
import { DELETE_DOCUMENT, DELETE_REPORT, type OpenDocument, RESOLVE } from './operations';
import { TargetLink } from './References';

interface Props {
  document: OpenDocument;
  onClose: () => void;
  onDeleted: () => void;
}

/** Says what deleting the document does before it is done. */
export function DeleteDialog({ document, onClose, onDeleted }: Props) {
  const [{ data, error }, again] = useQuery({ query: DELETE_REPORT, variables: { id: document.id }, requestPolicy: 'network-only' });
  const { run, busy, failure } = useAct(DELETE_DOCUMENT);
  const [job, setJob] = useState<string | null>(null);
  const report = data?.documentDeleteReport;
  const remove = async () => {
    const answer = await run({ input: { id: document.id } });
    if (!answer) return;
    if (answer.deleteDocument.job) return setJob(answer.deleteDocument.job);
    onDeleted();
  };
  return (
    <Modal opened onClose={onClose} title={`Delete ${document.label}`} closeButtonProps={{ 'aria-label': 'Close' }} data-testid="delete">
      <Stack>
        {error && <ProblemNote problem={problemOf(error)} onRetry={again} />}
        {failure && <ProblemNote problem={failure} />}
        {!report && !error && <Skeleton h={120} />}
        {report && (
          <List size="sm" spacing="xs" data-testid="delete-report">
            <List.Item>
              {plural(report.deleted, 'document goes', 'documents go')} to the trash.
              <Some ids={report.documents.filter((id) => id !== document.id)} />
            </List.Item>
            <List.Item>
              {plural(report.detached, 'document loses', 'documents lose')} a field.
              <Some ids={report.changed} />
            </List.Item>
            {report.kept > 0 && <List.Item>{plural(report.kept, 'reference stays and leads', 'references stay and lead')} to a tombstone.</List.Item>}
            {report.blockerCount > 0 && (
              <List.Item>
                {plural(report.blockerCount, 'reference forbids', 'references forbid')} it.
                <Some ids={report.blockers} />
              </List.Item>
            )}
            {report.inBackground && <List.Item>It is too much for one step: it is done in the background.</List.Item>}
          </List>
        )}
        {job && (
          <Text size="sm" role="status">
            It is being deleted in the background, by the job <code>{job}</code>.
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={job ? onDeleted : onClose}>
            {job ? 'Close' : 'Keep'}
          </Button>
          {!job && (
            <Button color="red" loading={busy} disabled={!report || report.blockerCount > 0} onClick={() => void remove()}>
              Delete
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

/** A few of the documents by name. */
function Some({ ids }: { ids: string[] }) {
  const refs = ids.slice(0, 10);
  const [{ data }] = useQuery({ query: RESOLVE, variables: { refs }, pause: refs.length === 0 });
  if (refs.length === 0) return null;
  return (
    <Group gap={6} mt={4}>
      {data?.resolve.map((target, i) => <TargetLink key={refs[i]} target={target} />)}
      {ids.length > refs.length && <Text size="sm">and more</Text>}
    </Group>
  );
}
