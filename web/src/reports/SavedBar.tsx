import { Button, Group, Select, Text } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { UPDATE_DOCUMENT } from '../documents/operations';
import { patchOf, same } from '../documents/schema';
import { useSession } from '../session/viewer';
import { ProblemNote } from '../ui/ProblemNote';
import type { Draft } from './draft';
import type { SavedDocument } from './operations';
import { SaveDialog } from './SaveDialog';
import { draftOf, savedOf } from './saved';

interface Props {
  saved: SavedDocument[];
  /** Global id of the one that was opened. */
  opened: string | null;
  draft: Draft;
  fresh: Draft;
  /** Told null when the report is no longer that of a kept one. */
  onOpen: (id: string | null) => void;
}

/** The kept reports: opens one, keeps what is shown, or puts it in the place of the one that was opened. */
export function SavedBar({ saved, opened, draft, fresh, onOpen }: Props) {
  const { permissions } = useSession().viewer;
  const [saving, setSaving] = useState(false);
  const update = useAct(UPDATE_DOCUMENT);
  const current = saved.find((d) => d.id === opened);
  const changed = current && !same(savedOf(draft), savedOf(draftOf(current.data, fresh)));
  return (
    <>
      <Group gap="xs">
        <Select
          aria-label="Saved reports"
          placeholder="Saved reports"
          w={260}
          searchable
          clearable
          nothingFoundMessage="None is saved"
          data={saved.map((d) => ({ value: d.id, label: d.label }))}
          value={opened}
          onChange={onOpen}
        />
        {current && changed && permissions.includes('registry.document.update') && (
          <Button variant="default" loading={update.busy} onClick={() => void update.run({ input: { id: current.id, rev: current.rev, patch: patchOf(current.data, { ...current.data, ...savedOf(draft) }) } })}>
            Save the change
          </Button>
        )}
        {permissions.includes('registry.document.create') && (
          <Button variant="default" onClick={() => setSaving(true)}>
            Save as…
          </Button>
        )}
        {current && !changed && (
          <Text size="xs" c="dimmed" role="status">
            Saved
          </Text>
        )}
      </Group>
      {update.failure && <ProblemNote problem={update.failure} />}
      {saving && (
        <SaveDialog
          draft={draft}
          onClose={() => setSaving(false)}
          onSaved={(id) => {
            setSaving(false);
            onOpen(id);
          }}
        />
      )}
    </>
  );
}
