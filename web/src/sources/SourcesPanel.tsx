import { Badge, Button, Code, Group, Skeleton } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { ago } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { KeyShown } from './KeyShown';
import { DELETE_SOURCE, ROTATE_SOURCE, type Source, SOURCES, UPDATE_SOURCE } from './operations';
import { SourceForm } from './SourceForm';

/** The ingest keys. */
export function SourcesPanel() {
  const [{ data, error }, again] = useQuery({ query: SOURCES, requestPolicy: 'cache-and-network' });
  // The source to change; null to make one.
  const [doing, setDoing] = useState<Source | null | undefined>(undefined);
  const [key, setKey] = useState<string | null>(null);
  const reload = () => again({ requestPolicy: 'network-only' });
  return (
    <Panel
      title="Ingest keys"
      hint="Each stores events of some names, and can do nothing else"
      data-testid="panel-sources"
      aside={
        <Button size="compact-sm" variant="light" onClick={() => setDoing(null)}>
          New key
        </Button>
      }
    >
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={80} />}
      {data?.eventSources.length === 0 && <Empty title="No ingest keys">Pages and programs outside need one to report events.</Empty>}
      {data && (
        <Rows label="Ingest keys">
          {data.eventSources.map((s) => (
            <SourceRow key={s.id} source={s} onChange={() => setDoing(s)} onKey={setKey} reload={reload} />
          ))}
        </Rows>
      )}
      {doing !== undefined && (
        <SourceForm
          source={doing}
          onClose={() => setDoing(undefined)}
          onDone={(made) => {
            setDoing(undefined);
            setKey(made);
            reload();
          }}
        />
      )}
      {key && <KeyShown text={key} onClose={() => setKey(null)} />}
    </Panel>
  );
}

interface RowProps {
  source: Source;
  onChange: () => void;
  onKey: (key: string) => void;
  reload: () => void;
}

function SourceRow({ source: s, onChange, onKey, reload }: RowProps) {
  const now = useNow(30_000);
  const [failure, setFailure] = useState<Problem | null>(null);
  const update = useAct(UPDATE_SOURCE);
  const rotate = useAct(ROTATE_SOURCE);
  const remove = useAct(DELETE_SOURCE);
  const turn = async () => {
    if (await update.run({ input: { source: s.id, disabled: !s.disabled } }, setFailure)) reload();
  };
  const renew = async () => {
    const answer = await rotate.run({ input: { source: s.id } }, setFailure);
    if (answer) onKey(answer.rotateEventSource.key);
  };
  const drop = async () => {
    if (await remove.run({ input: { source: s.id } }, setFailure)) reload();
  };
  return (
    <Row
      title={
        <Group gap={8} component="span">
          {s.name}
          <Code>{s.hint}…</Code>
          {s.disabled && (
            <Badge size="sm" variant="light" color="gray" tt="none">
              off
            </Badge>
          )}
        </Group>
      }
      detail={
        <>
          {s.events.join(', ')} · {s.origins.length > 0 ? `pages of ${s.origins.join(', ')}` : 'programs'} ·{' '}
          {s.lastUsedAt ? `used ${ago(s.lastUsedAt, now)}` : 'not used yet'}
          {failure && <ProblemNote problem={failure} mt="xs" />}
        </>
      }
      data-testid="source"
    >
      <Button size="compact-sm" variant="default" aria-label={`Change ${s.name}`} onClick={onChange}>
        Change
      </Button>
      <Button size="compact-sm" variant="default" loading={update.busy} aria-label={`Turn ${s.name} ${s.disabled ? 'on' : 'off'}`} onClick={() => void turn()}>
        {s.disabled ? 'Turn on' : 'Turn off'}
      </Button>
      <ConfirmButton
        label="Renew"
        aria-label={`Renew ${s.name}`}
        question={`Give ${s.name} another key? The one before is no longer good, at once.`}
        loading={rotate.busy}
        onConfirm={() => void renew()}
      />
      <ConfirmButton
        label="Delete"
        aria-label={`Delete ${s.name}`}
        question={`Delete ${s.name}? The events it has brought stay.`}
        loading={remove.busy}
        onConfirm={() => void drop()}
      />
    </Row>
  );
}
