import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { factorNames } from '../auth/steps';
import { ago, date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { FormDialog } from '../ui/FormDialog';
import { ProblemNote } from '../ui/ProblemNote';
import { Row } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { type Factor, REMOVE_FACTOR, RENAME_FACTOR } from './operations';

/** One second factor. */
export function FactorRow({ factor, reload }: { factor: Factor; reload: () => void }) {
  const remove = useAct(REMOVE_FACTOR);
  const [renaming, setRenaming] = useState(false);
  const now = useNow(30_000);
  const used = factor.lastUsedAt ? `used ${ago(factor.lastUsedAt, now)}` : 'not used yet';
  const drop = async () => {
    if (await remove.run({ input: { factor: factor.id } })) reload();
  };
  return (
    <Row
      title={factor.name}
      detail={
        <>
          {factorNames[factor.kind] ?? factor.kind} · added {date(factor.createdAt)} · {used}
          {remove.failure && (
            <ProblemNote problem={remove.failure} mt="xs">
              {remove.failure.code === 'FACTOR_NEEDED' && 'One of your roles wants it: add another before you remove this one.'}
            </ProblemNote>
          )}
        </>
      }
      data-testid={`factor-${factor.kind}`}
    >
      <Button size="compact-sm" variant="default" aria-label={`Rename ${factor.name}`} onClick={() => setRenaming(true)}>
        Rename
      </Button>
      <ConfirmButton
        label="Remove"
        aria-label={`Remove ${factor.name}`}
        question={`Remove ${factor.name}? It then no longer lets you in.`}
        loading={remove.busy}
        onConfirm={() => void drop()}
      />
      {renaming && <Rename factor={factor} onClose={() => setRenaming(false)} onDone={reload} />}
    </Row>
  );
}

function Rename({ factor, onClose, onDone }: { factor: Factor; onClose: () => void; onDone: () => void }) {
  const { run, busy, failure } = useAct(RENAME_FACTOR);
  const [name, setName] = useState(factor.name);
  const save = async () => {
    if (!(await run({ input: { factor: factor.id, name } }))) return;
    onDone();
    onClose();
  };
  return (
    <FormDialog title="Rename" submit="Rename" busy={busy} failure={failure} onSubmit={() => void save()} onClose={onClose}>
      <TextInput
        label="Name"
        name="factor-name"
        maxLength={60}
        required
        withAsterisk={false}
        data-autofocus
        value={name}
        onChange={(e) => setName(e.currentTarget.value)}
      />
    </FormDialog>
  );
}
