import { Anchor, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import { useMutation } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { href, Link, navigate } from '../app/router';
import { ProblemNote } from '../ui/ProblemNote';
import { FieldInput } from './FieldInput';
import { type ContentType, CREATE_DOCUMENT } from './operations';
import { fields, toData } from './schema';

interface Props {
  type: ContentType;
  types: ContentType[];
  /** Global id of what the document is to point at from the start; null for nothing. */
  about: string | null;
  onClose: () => void;
}

/** Writes a document of the type: its form follows from the type's JSON Schema. */
export function CreateDocument({ type, types, about, onClose }: Props) {
  const form = fields(type.schema);
  const pointer = form.find((f) => f.kind === 'reference');
  const [values, setValues] = useState<Record<string, unknown>>(about && pointer ? { [pointer.name]: about } : {});
  const [failure, setFailure] = useState<Problem | null>(null);
  const [{ fetching }, create] = useMutation(CREATE_DOCUMENT);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setFailure(null);
    const { data, error } = await create({ input: { type: type.key, data: toData(values) } });
    if (error) return setFailure(problemOf(error));
    onClose();
    if (data) navigate(href('/documents', { type: type.key, open: data.createDocument.document.id }));
  };

  return (
    <Modal opened onClose={onClose} title={`New ${type.name.toLowerCase()}`} size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form onSubmit={(event) => void submit(event)} data-testid="create">
        <Stack>
          {form.map((field) => (
            <FieldInput
              key={field.name}
              field={field}
              types={types}
              value={values[field.name]}
              onChange={(value) => setValues((v) => ({ ...v, [field.name]: value }))}
            />
          ))}
          {form.length === 0 && (
            <Text size="sm" c="dimmed">
              This type has no plain fields. Use the mutation <code>createDocument</code> in the explorer.
            </Text>
          )}
          {failure && <Failure problem={failure} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={fetching}>
              Create
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Adds to a problem where it lies, or what would lift it. */
function Failure({ problem }: { problem: Problem }) {
  const { limit, used, pointer } = problem.details;
  const plan = ['QUOTA_EXCEEDED', 'OVER_QUOTA', 'FEATURE_NOT_IN_PLAN', 'FORBIDDEN'].includes(problem.code);
  return (
    <ProblemNote problem={problem}>
      {typeof limit === 'number' && typeof used === 'number' && (
        <Text size="sm">
          {used} of {limit} are used.
        </Text>
      )}
      {typeof pointer === 'string' && pointer && (
        <Text size="sm">
          Look at <code>{pointer}</code>.
        </Text>
      )}
      {plan && (
        <Anchor component={Link} href="/plan" size="sm">
          See your plan and what others allow
        </Anchor>
      )}
    </ProblemNote>
  );
}
