import { TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { CREATE_DOCUMENT } from '../documents/operations';
import { FormDialog } from '../ui/FormDialog';

/** Makes a dashboard without tiles. */
export function NewDashboard({ onClose, onMade }: { onClose: () => void; onMade: (id: string) => void }) {
  const [title, setTitle] = useState('');
  const { run, busy, failure } = useAct(CREATE_DOCUMENT);
  const make = async () => {
    const answer = await run({ input: { type: 'core.dashboard', data: { title, tiles: [] } } });
    if (answer) onMade(answer.createDocument.document.id);
  };
  return (
    <FormDialog title="New dashboard" submit="Make it" busy={busy} failure={failure} onSubmit={() => void make()} onClose={onClose} data-testid="new-dashboard">
      <TextInput label="Title" name="dashboard-title" required withAsterisk={false} maxLength={200} data-autofocus value={title} onChange={(e) => setTitle(e.currentTarget.value)} />
    </FormDialog>
  );
}
