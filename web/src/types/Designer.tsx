import { Button, Checkbox, CloseButton, Fieldset, Group, MultiSelect, Select, SimpleGrid, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';

import { deletions, type FieldRow, type Kind, kinds, labelOf, newRow, parse, rowsOf, type Schema, schemaOf } from './designer';

interface Props {
  schema: Schema;
  onChange: (schema: Schema) => void;
  /** Keys of the content types there are. */
  types: string[];
}

const print = (schema: Schema) => JSON.stringify(schema, null, 2);
const choices = (words: Record<string, string>) => Object.entries(words).map(([value, label]) => ({ value, label }));

/** The fields of a schema beside its text: a change of the one is a change of the other. */
export function Designer({ schema, onChange, types }: Props) {
  // What is typed stays as it is until it is JSON again.
  const [draft, setDraft] = useState<string | null>(null);
  const rows = rowsOf(schema);
  const label = labelOf(schema);
  const write = (next: FieldRow[], named = label) => {
    setDraft(null);
    onChange(schemaOf(schema, next, named));
  };
  const edit = (at: number, row: FieldRow) => {
    const taken = rows.some((r, i) => i !== at && r.name === row.name);
    if (row.name === '' || taken) return;
    const named = label === rows[at]?.name ? row.name : label;
    write(
      rows.map((r, i) => (i === at ? row : r)),
      named,
    );
  };
  const type = (text: string) => {
    const parsed = parse(text);
    setDraft(parsed ? null : text);
    if (parsed) onChange(parsed);
  };
  const add = () => {
    let n = rows.length + 1;
    while (rows.some((r) => r.name === `field${n}`)) n++;
    write([...rows, newRow(`field${n}`)]);
  };
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Stack gap="sm">
        {rows.map((row, i) => (
          <RowEditor
            // The position: a name that is being typed must not take the focus away.
            key={i}
            row={row}
            types={types}
            onChange={(next) => edit(i, next)}
            onRemove={() => write(rows.filter((_, at) => at !== i), label === row.name ? '' : label)}
          />
        ))}
        <Group gap="xs" align="flex-end">
          <Select
            label="Label"
            description="The field that names a document"
            data={rows.map((r) => r.name)}
            value={label || null}
            clearable
            onChange={(next) => write(rows, next ?? '')}
          />
          <Button variant="default" onClick={add}>
            Add a field
          </Button>
        </Group>
      </Stack>
      <Textarea
        label="JSON Schema"
        name="schema"
        autosize
        minRows={12}
        maxRows={30}
        spellCheck={false}
        error={draft !== null && 'This is not a JSON object'}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 'var(--mantine-font-size-xs)' } }}
        value={draft ?? print(schema)}
        onChange={(e) => type(e.currentTarget.value)}
      />
    </SimpleGrid>
  );
}

interface RowProps {
  row: FieldRow;
  types: string[];
  onChange: (row: FieldRow) => void;
  onRemove: () => void;
}

function RowEditor({ row, types, onChange, onRemove }: RowProps) {
  const [name, setName] = useState(row.name);
  const [before, setBefore] = useState(row.name);
  if (before !== row.name) {
    setBefore(row.name);
    setName(row.name);
  }
  const points = row.kind === 'reference' || row.kind === 'references';
  return (
    <Fieldset legend={row.name} p="sm" data-testid="field">
      <Stack gap="xs">
        <Group gap="xs" align="flex-end" wrap="nowrap">
          <TextInput
            flex={1}
            label="Name"
            value={name}
            required
            onChange={(e) => setName(e.currentTarget.value.trim())}
            onBlur={() => (name === row.name ? null : onChange({ ...row, name }))}
          />
          <Select
            flex={1}
            label="Kind"
            data={choices(kinds)}
            value={row.kind}
            allowDeselect={false}
            onChange={(next) => onChange({ ...row, kind: next as Kind })}
          />
          <CloseButton mb={4} aria-label={`Remove the field ${row.name}`} onClick={onRemove} />
        </Group>
        <Group gap="md">
          <Checkbox label="Required" checked={row.required} onChange={(e) => onChange({ ...row, required: e.currentTarget.checked })} />
          <Checkbox label="Indexed" checked={row.index} onChange={(e) => onChange({ ...row, index: e.currentTarget.checked })} />
          <Checkbox label="Searched" checked={row.search} onChange={(e) => onChange({ ...row, search: e.currentTarget.checked })} />
        </Group>
        {row.kind === 'choice' && (
          <TagsInput label="Choices" value={row.choices} onChange={(next) => onChange({ ...row, choices: next })} />
        )}
        {points && (
          <Group gap="xs" grow align="flex-start">
            <MultiSelect
              label="May point at"
              data={[...new Set(['*', 'document', 'user', 'role', 'plan', 'content_type', ...types, ...row.to])]}
              value={row.to}
              searchable
              onChange={(next) => onChange({ ...row, to: next.length === 0 ? ['*'] : next.filter((t) => t !== '*' || next.at(-1) === '*') })}
            />
            <Select
              label="When that is deleted"
              data={choices(deletions)}
              value={row.onDelete}
              allowDeselect={false}
              onChange={(next) => onChange({ ...row, onDelete: next as FieldRow['onDelete'] })}
            />
          </Group>
        )}
      </Stack>
    </Fieldset>
  );
}
