import { Anchor, Button, Group, List, Modal, Stack, Text } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import type { Problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { href, Link, navigate } from '../app/router';
import { humanize, sentence } from '../format/text';
import { ProblemNote } from '../ui/ProblemNote';
import { FieldInput } from './FieldInput';
import { type ContentType, CREATE_DOCUMENT, type OpenDocument, UPDATE_DOCUMENT } from './operations';
import { fields, memberOf, patchOf, staleness, toData } from './schema';

interface Props {
  type: ContentType;
  types: ContentType[];
  /** The document to change; left out to make one. */
  document?: OpenDocument;
  /** Global id of what a new document is to point at from the start; null for nothing. */
  about?: string | null;
  onClose: () => void;
  /** Reads the document again, since others changed it. */
  onReload?: () => void;
}

/** Writes a document of the type: its form follows from the type's JSON Schema. */
export function DocumentForm({ type, types, document, about = null, onClose, onReload }: Props) {
  const form = fields(type.schema);
  const pointer = form.find((f) => f.kind === 'reference' || f.kind === 'references');
  const [values, setValues] = useState<Record<string, unknown>>(() => {
    if (document) return document.data;
    return about && pointer ? { [pointer.name]: pointer.kind === 'reference' ? about : [about] } : {};
  });
  const [failure, setFailure] = useState<Problem | null>(null);
  const create = useAct(CREATE_DOCUMENT);
  const update = useAct(UPDATE_DOCUMENT);
  const data = toData(values);

  const save = async (merge: boolean) => {
    if (document) {
      const input = { id: document.id, rev: document.rev, patch: patchOf(document.data, data), merge };
      if (await update.run({ input }, setFailure)) onClose();
      return;
    }
    const answer = await create.run({ input: { type: type.key, data } }, setFailure);
    if (!answer) return;
    onClose();
    navigate(href('/documents', { type: type.key, open: answer.createDocument.document.id }));
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void save(false);
  };
  const blamed = failure?.code === 'DOCUMENT_STALE' ? null : memberOf(failure?.details['pointer']);
  const title = document ? `Change ${document.label}` : `New ${type.name.toLowerCase()}`;

  return (
    <Modal opened onClose={onClose} title={title} size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form onSubmit={submit} data-testid={document ? 'edit' : 'create'}>
        <Stack>
          {form.map((field) => (
            <FieldInput
              key={field.name}
              field={field}
              types={types}
              value={values[field.name]}
              onChange={(value) => setValues((v) => ({ ...v, [field.name]: value }))}
              error={failure && blamed === field.name ? reason(failure) : undefined}
            />
          ))}
          {form.length === 0 && (
            <Text size="sm" c="dimmed">
              This type has no fields.
            </Text>
          )}
          {failure?.code === 'DOCUMENT_STALE' ? (
            <Stale problem={failure} busy={update.busy} onMerge={() => void save(true)} onReload={onReload} />
          ) : (
            failure && <Failure problem={failure} />
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={create.busy || update.busy}>
              {document ? 'Save' : 'Create'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** What the server found wrong with a field, in its words. */
function reason({ details, text }: Problem): string {
  return typeof details['reason'] === 'string' ? sentence(details['reason']) : text;
}

interface StaleProps {
  problem: Problem;
  busy: boolean;
  onMerge: () => void;
  onReload: (() => void) | undefined;
}

/** Others changed the document meanwhile: what of it, and what can be done. */
function Stale({ problem, busy, onMerge, onReload }: StaleProps) {
  const { fields: changed, disjoint } = staleness(problem.details);
  return (
    <ProblemNote problem={problem} color="yellow">
      {disjoint ? (
        <Text size="sm">They changed other fields than you: your changes can be added to theirs.</Text>
      ) : (
        <>
          <Text size="sm">They changed these fields, as you did:</Text>
          <List size="sm">
            {changed.map((name) => (
              <List.Item key={name}>{humanize(name)}</List.Item>
            ))}
          </List>
        </>
      )}
      <Group gap="xs">
        {disjoint && (
          <Button size="compact-sm" loading={busy} onClick={onMerge}>
            Merge
          </Button>
        )}
        {onReload && (
          <Button size="compact-sm" variant="default" onClick={onReload}>
            Load it anew
          </Button>
        )}
      </Group>
    </ProblemNote>
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
