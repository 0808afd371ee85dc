import { Button, Drawer, Group, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { humanize } from '../format/text';
import { dateTime } from '../format/time';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';
import { Backlinks } from './Backlinks';
import classes from './DocumentsPage.module.css';
import { DOCUMENT, type OpenDocument } from './operations';
import { TargetLink } from './References';
import { Value } from './Value';

interface Props {
  /** Global id of the document to show; null for none. */
  id: string | null;
  onClose: () => void;
  /** Begins a note about the document; undefined where there are no notes. */
  onNote: ((about: string) => void) | undefined;
}

/** One document with all that it points at and all that points at it. */
export function DocumentDrawer({ id, onClose, onNote }: Props) {
  const [{ data, error }, again] = useQuery({
    query: DOCUMENT,
    variables: { id: id ?? '' },
    pause: !id,
    requestPolicy: 'cache-and-network',
  });
  const node = data?.node;
  const document = node?.__typename === 'Document' && node.id === id ? node : undefined;
  return (
    <Drawer
      opened={id !== null}
      onClose={onClose}
      position="right"
      size="lg"
      title={document?.type.name ?? 'Document'}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {error && !document && <ProblemNote problem={problemOf(error)} onRetry={again} />}
      {!error && data && !node && (
        <Empty title="There is no such document">It was deleted, or your roles do not let you see it.</Empty>
      )}
      {!error && !document && !(data && !node) && <Skeleton h={320} />}
      {document && <Body key={document.id} document={document} onNote={onNote} />}
    </Drawer>
  );
}

function Body({ document, onNote }: { document: OpenDocument; onNote: Props['onNote'] }) {
  // References are shown by what they lead to, below.
  const pointing = new Set(document.references.map((r) => r.path.slice(1)));
  const data = Object.entries(document.data).filter(([name]) => !pointing.has(name));
  return (
    <Stack gap="lg" data-testid="document">
      <div>
        <Text fz="lg" fw={650} style={{ overflowWrap: 'anywhere' }}>
          {document.label}
        </Text>
        <Text size="sm" c="dimmed">
          Revision {document.rev} · changed {dateTime(document.updatedAt)} · by {document.owner?.name ?? 'the server'}
        </Text>
      </div>
      <dl className={classes.data}>
        {data.map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{humanize(name)}</dt>
            <dd>
              <Value value={value} />
            </dd>
          </div>
        ))}
      </dl>
      <Part title="Points at">
        {document.references.length === 0 ? (
          <Text size="sm" c="dimmed">
            Nothing
          </Text>
        ) : (
          <dl className={classes.data}>
            {document.references.map((r) => (
              <div key={r.path} style={{ display: 'contents' }}>
                <dt>{humanize(r.path.slice(1))}</dt>
                <dd>
                  <TargetLink target={r.target} />
                </dd>
              </div>
            ))}
          </dl>
        )}
      </Part>
      <Part title="Pointed at by">
        <Backlinks id={document.id} first={document.backlinks} />
      </Part>
      <Group>
        {onNote && (
          <Button
            variant="light"
            leftSection={<Icon name="plus" size={16} />}
            onClick={() => onNote(document.id)}
            data-testid="note-about"
          >
            Write a note about this
          </Button>
        )}
      </Group>
    </Stack>
  );
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section>
      <Text fw={600} size="sm" mb={6}>
        {title}
      </Text>
      {children}
    </section>
  );
}
