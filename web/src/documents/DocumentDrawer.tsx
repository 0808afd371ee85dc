import { Badge, Button, Drawer, Group, Skeleton, Stack, Tabs, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { humanize } from '../format/text';
import { dateTime } from '../format/time';
import { useSession } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';
import { Backlinks } from './Backlinks';
import classes from './DocumentsPage.module.css';
import { DeleteDialog } from './DeleteDialog';
import { DocumentForm } from './DocumentForm';
import { HistoryPanel } from './HistoryPanel';
import { type ContentType, DOCUMENT, listed, type OpenDocument } from './operations';
import { TargetLink } from './References';
import { memberOf } from './schema';
import { Value } from './Value';

interface Props {
  /** Global id of the document to show; null for none. */
  id: string | null;
  types: ContentType[];
  onClose: () => void;
  /** Begins a note about the document; undefined where there are no notes. */
  onNote: ((about: string) => void) | undefined;
}

/** One document with all that it points at and all that points at it. */
export function DocumentDrawer({ id, types, onClose, onNote }: Props) {
  const [{ data, error }, again] = useQuery({
    query: DOCUMENT,
    variables: { id: id ?? '' },
    pause: !id,
    requestPolicy: 'cache-and-network',
    context: listed,
  });
  const node = data?.document;
  const document = node && node.id === id ? node : undefined;
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
      {document && <Body key={document.id} document={document} types={types} onNote={onNote} onClose={onClose} onReload={again} />}
    </Drawer>
  );
}

interface BodyProps extends Pick<Props, 'types' | 'onNote' | 'onClose'> {
  document: OpenDocument;
  onReload: () => void;
}

function Body({ document, types, onNote, onClose, onReload }: BodyProps) {
  const [doing, setDoing] = useState<'edit' | 'delete' | null>(null);
  const { permissions } = useSession().viewer;
  const done = () => setDoing(null);
  // References are shown by what they lead to, below.
  const pointing = new Set(document.references.map((r) => memberOf(r.path)));
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
        {document.deleting && <Badge color="red" variant="light" tt="none">Being deleted</Badge>}
      </div>
      <Tabs defaultValue="document" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="document">Document</Tabs.Tab>
          <Tabs.Tab value="history">History</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="document">
          <Stack gap="lg">
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
              <Backlinks id={document.id} />
            </Part>
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <HistoryPanel document={document} />
        </Tabs.Panel>
      </Tabs>
      <Group gap="xs">
        {permissions.includes('registry.document.update') && (
          <Button variant="default" disabled={document.deleting} onClick={() => setDoing('edit')}>
            Edit
          </Button>
        )}
        {permissions.includes('registry.document.delete') && (
          <Button variant="default" disabled={document.deleting} onClick={() => setDoing('delete')}>
            Delete
          </Button>
        )}
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
      {doing === 'edit' && (
        <DocumentForm
          key={document.rev}
          type={document.type}
          types={types}
          document={document}
          onClose={done}
          onReload={onReload}
        />
      )}
      {doing === 'delete' && (
        <DeleteDialog
          document={document}
          onClose={done}
          onDeleted={() => {
            done();
            onClose();
          }}
        />
      )}
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
