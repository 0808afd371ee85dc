import { TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { FormDialog } from '../ui/FormDialog';
import { CREATE_SOURCE, type Source, UPDATE_SOURCE } from './operations';

interface Props {
  /** The source to change; null to make one. */
  source: Source | null;
  onClose: () => void;
  /** Told the new key; null when there is none. */
  onDone: (key: string | null) => void;
}

/** What an ingest key may store, and from where. */
export function SourceForm({ source, onClose, onDone }: Props) {
  const [name, setName] = useState(source?.name ?? '');
  const [events, setEvents] = useState(source?.events ?? []);
  const [origins, setOrigins] = useState(source?.origins ?? []);
  const create = useAct(CREATE_SOURCE);
  const update = useAct(UPDATE_SOURCE);
  const { busy, failure } = source ? update : create;
  const submit = async () => {
    if (source) {
      if (await update.run({ input: { source: source.id, name, events, origins } })) onDone(null);
      return;
    }
    const answer = await create.run({ input: { name, events, origins } });
    if (answer) onDone(answer.createEventSource.key);
  };
  return (
    <FormDialog
      title={source ? `Change ${source.name}` : 'New ingest key'}
      submit={source ? 'Change' : 'Make the key'}
      busy={busy}
      failure={failure}
      onSubmit={() => void submit()}
      onClose={onClose}
      data-testid="source-form"
    >
      <TextInput
        label="Name"
        description="What uses it"
        name="source-name"
        maxLength={100}
        required
        withAsterisk={false}
        data-autofocus
        value={name}
        onChange={(e) => setName(e.currentTarget.value)}
      />
      <TagsInput
        label="Events"
        description="Names of the events it may store, each with Enter"
        acceptValueOnBlur
        maxTags={50}
        value={events}
        onChange={setEvents}
      />
      <TagsInput
        label="Pages of"
        description="Origins such as https://shop.example.org; none for programs"
        acceptValueOnBlur
        maxTags={20}
        value={origins}
        onChange={setOrigins}
      />
    </FormDialog>
  );
}
