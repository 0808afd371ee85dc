import { Select, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';

import { blamed } from '../api/problem';
import { useAct } from '../api/useAct';
import type { Entitlement } from '../plan/fragments';
import { featureName, type Features } from '../plan/words';
import { FormDialog } from '../ui/FormDialog';
import { OVERRIDE } from './operations';
import { type Draft, overrideInput } from './override';

interface Props {
  user: string;
  entitlements: Entitlement[];
  features: Features;
  onClose: () => void;
  onDone: () => void;
}

const empty: Draft = { feature: '', kind: 'BOOLEAN', on: true, value: '', any: false, limit: '', expires: '', reason: '' };

/** Gives somebody more or less of a feature than the plan. */
export function OverrideForm({ user, entitlements, features, onClose, onDone }: Props) {
  const { run, busy, failure } = useAct(OVERRIDE);
  const [draft, setDraft] = useState(empty);
  const set = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const field = blamed(failure);
  const numbered = draft.kind !== 'BOOLEAN' && !(draft.kind === 'STATIC' && draft.value.trim());
  const send = async () => {
    if (await run({ input: overrideInput(user, draft) })) onDone();
  };
  const pick = (key: string | null) => {
    const e = entitlements.find((x) => x.feature === key);
    if (e) set({ feature: e.feature, kind: e.kind, value: e.value });
  };
  return (
    <FormDialog title="Make an exception" submit="Make it" busy={busy} failure={failure} onSubmit={() => void send()} onClose={onClose} data-testid="override">
      <Select
        label="Feature"
        required
        withAsterisk={false}
        searchable
        data={entitlements.map((e) => ({ value: e.feature, label: featureName(features, e.feature) }))}
        value={draft.feature || null}
        onChange={pick}
        data-autofocus
      />
      {draft.feature && draft.kind === 'BOOLEAN' && (
        <Switch label="Has it" checked={draft.on} onChange={(e) => set({ on: e.currentTarget.checked })} />
      )}
      {draft.kind === 'STATIC' && (
        <TextInput label="Text" description="Leave it empty for a number" name="value" value={draft.value} onChange={(e) => set({ value: e.currentTarget.value })} />
      )}
      {numbered && (
        <>
          <Switch label="Any number" checked={draft.any} onChange={(e) => set({ any: e.currentTarget.checked })} />
          {!draft.any && (
            <TextInput
              label="How many"
              description="In the place of what the plan gives; add-ons come on top"
              name="limit"
              inputMode="numeric"
              pattern="[0-9]{1,9}"
              required
              withAsterisk={false}
              value={draft.limit}
              onChange={(e) => set({ limit: e.currentTarget.value })}
            />
          )}
        </>
      )}
      <TextInput
        label="Until"
        description="Leave it empty for no end"
        name="expires"
        type="datetime-local"
        error={field === 'expiresAt'}
        value={draft.expires}
        onChange={(e) => set({ expires: e.currentTarget.value })}
      />
      <TextInput
        label="Reason"
        name="reason"
        required
        withAsterisk={false}
        maxLength={500}
        error={field === 'reason'}
        value={draft.reason}
        onChange={(e) => set({ reason: e.currentTarget.value })}
      />
    </FormDialog>
  );
}
