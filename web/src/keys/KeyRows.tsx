import { Badge, Code, Group } from '@mantine/core';

import { useAct } from '../api/useAct';
import { ago, date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { type Key, REVOKE_KEY } from './operations';
import { stateOf } from './state';

/** Access keys, each with what it may do and the way to end it. */
export function KeyRows({ keys, reload }: { keys: Key[]; reload: () => void }) {
  return (
    <Rows label="Access keys">
      {keys.map((key) => (
        <KeyRow key={key.id} item={key} reload={reload} />
      ))}
    </Rows>
  );
}

function KeyRow({ item, reload }: { item: Key; reload: () => void }) {
  const { run, busy, failure } = useAct(REVOKE_KEY);
  const now = useNow(30_000);
  const state = stateOf(item, now);
  const revoke = async () => {
    if (await run({ input: { key: item.id } })) reload();
  };
  return (
    <Row
      title={
        <Group gap={8} component="span">
          {item.name}
          <Code>{item.hint}…</Code>
          {state !== 'works' && (
            <Badge size="sm" variant="light" color="gray" tt="none">
              {state}
            </Badge>
          )}
        </Group>
      }
      detail={
        <>
          {item.lastUsedAt ? `Used ${ago(item.lastUsedAt, now)}` : 'Not used yet'} · good until {date(item.expiresAt)}
          <br />
          {item.scopes.join(', ')}
          {failure && <ProblemNote problem={failure} mt="xs" />}
        </>
      }
      data-testid="access-key"
    >
      {state === 'works' && (
        <ConfirmButton
          label="Revoke"
          aria-label={`Revoke ${item.name}`}
          question={`Revoke ${item.name}? What uses it stops working at once.`}
          loading={busy}
          onConfirm={() => void revoke()}
        />
      )}
    </Row>
  );
}
