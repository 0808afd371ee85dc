import { TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { CREATE_DOCUMENT } from '../documents/operations';
import { FormDialog } from '../ui/FormDialog';
import type { Draft } from './draft';
import { savedOf } from './saved';
import { aggregateWords } from './words';

interface Props {
  draft: Draft;
  onClose: () => void;
  /** Told the global id of the kept report. */
  onSaved: (id: string) => void;
}

/** Keeps the report of a draft under a title. */
export function SaveDialog({ draft, onClose, onSaved }: Props) {
  const [title, setTitle] = useState(`${aggregateWords[draft.aggregate]} of ${draft.metric}${draft.by ? ` by ${draft.by}` : ''}`);
  const [description, setDescription] = useState('');
  const { run, busy, failure } = useAct(CREATE_DOCUMENT);
  const save = async () => {
    const data = { title, ...savedOf(draft), ...(description && { description }) };
    const answer = await run({ input: { type: 'core.report', data } });
    if (answer) onSaved(answer.createDocument.document.id);
  };
  return (
    <FormDialog title="Save the report" submit="Save" busy={busy} failure={failure} onSubmit={() => void save()} onClose={onClose} data-testid="save-report">
      <TextInput label="Title" name="report-title" required withAsterisk={false} maxLength={200} data-autofocus value={title} onChange={(e) => setTitle(e.currentTarget.value)} />
      <TextInput label="What it tells" name="report-description" maxLength={2000} value={description} onChange={(e) => setDescription(e.currentTarget.value)} />
    </FormDialog>
  );
}
