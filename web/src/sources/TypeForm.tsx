import { Checkbox, NumberInput, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { FormDialog } from '../ui/FormDialog';
import { DEFINE_EVENT_TYPE, type EventType } from './operations';

interface Props {
  /** What is known already; null for a name that is not there yet. */
  type: EventType | null;
  onClose: () => void;
  onDone: () => void;
}

/** Says what the events of a name are. */
export function TypeForm({ type, onClose, onDone }: Props) {
  const [name, setName] = useState(type?.name ?? '');
  const [description, setDescription] = useState(type?.description ?? '');
  const [dims, setDims] = useState(type?.dims ?? []);
  const [values, setValues] = useState(type?.values ?? []);
  const [strict, setStrict] = useState(type?.strict ?? false);
  const [days, setDays] = useState(type?.retentionDays ?? 0);
  const { run, busy, failure } = useAct(DEFINE_EVENT_TYPE);
  const submit = async () => {
    if (await run({ input: { name, description, dims, values, strict, retentionDays: days } })) onDone();
  };
  return (
    <FormDialog
      title={type ? `Describe ${type.name}` : 'Describe events'}
      submit="Save"
      busy={busy}
      failure={failure}
      onSubmit={() => void submit()}
      onClose={onClose}
      data-testid="type-form"
    >
      <TextInput label="Name" name="type-name" required withAsterisk={false} disabled={type !== null} value={name} onChange={(e) => setName(e.currentTarget.value)} />
      <Textarea label="What they are" name="description" autosize minRows={2} value={description} onChange={(e) => setDescription(e.currentTarget.value)} />
      <TagsInput label="Dimensions" description="Each with Enter" acceptValueOnBlur maxTags={16} value={dims} onChange={setDims} />
      <TagsInput label="Values" description="Each with Enter" acceptValueOnBlur maxTags={8} value={values} onChange={setValues} />
      <Checkbox label="Refuse events with other dimensions or values" checked={strict} onChange={(e) => setStrict(e.currentTarget.checked)} />
      <NumberInput
        label="Days to keep them"
        description="0 for ever; older ones are refused and removed"
        min={0}
        max={36600}
        allowDecimal={false}
        value={days}
        onChange={(v) => setDays(Number(v))}
      />
    </FormDialog>
  );
}
