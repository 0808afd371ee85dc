import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import { useAct } from '../api/useAct';
import { ProblemNote } from '../ui/ProblemNote';
import { begin, type Schema } from './designer';
import { Designer } from './Designer';
import { DEFINE_TYPE } from './operations';
import { Pointer } from './Pointer';

/** Makes a content type. */
export function DefineType({ types, onClose }: { types: string[]; onClose: () => void }) {
  const [key, setKey] = useState('');
  const [name, setName] = useState('');
  const [schema, setSchema] = useState<Schema>(begin);
  const { run, busy, failure } = useAct(DEFINE_TYPE);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (await run({ input: { key, name, schema } })) onClose();
  };
  return (
    <Modal opened onClose={onClose} title="New content type" size="80rem" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form onSubmit={(event) => void submit(event)} data-testid="define">
        <Stack>
          <Group grow>
            <TextInput
              label="Key"
              name="key"
              required
              pattern="[a-z0-9._\-]{2,64}"
              title="2 to 64 of a-z, 0-9, dot, dash and underscore"
              value={key}
              onChange={(e) => setKey(e.currentTarget.value)}
            />
            <TextInput label="Name" name="name" required maxLength={100} value={name} onChange={(e) => setName(e.currentTarget.value)} />
          </Group>
          <Designer schema={schema} onChange={setSchema} types={key ? [...types, key] : types} />
          {failure && (
            <ProblemNote problem={failure}>
              <Pointer problem={failure} />
            </ProblemNote>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Define
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
