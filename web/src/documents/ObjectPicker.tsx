import { Group, Input, Select, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { humanize } from '../format/text';
import { byId, kindsOf, useChoices } from './choices';
import { type ContentType, RESOLVE } from './operations';
import { TargetLink } from './References';
import type { Field } from './schema';

interface Props {
  field: Field;
  types: ContentType[];
  /** Global id; empty for none. */
  value: string;
  onChange: (id: string) => void;
  /** What the server says is wrong with it. */
  error?: string | undefined;
}

/** Chooses the object a reference points at: a kind first, then one of it, or any by its global id. */
export function ObjectPicker({ field, types, value, onChange, error: refused }: Props) {
  const kinds = kindsOf(field.to, types);
  // An object that is given from outside is known by its id only.
  const [kind, setKind] = useState(value ? byId : (kinds[0]?.value ?? byId));
  const [typed, setTyped] = useState('');
  const [settled] = useDebouncedValue(typed, 250);
  const { options, error, fetching } = useChoices(kind, settled);
  return (
    <Input.Wrapper label={humanize(field.name)} required={field.required} error={refused ?? (error && problemOf(error).text)}>
      <Group gap="xs" grow preventGrowOverflow={false} mt={2} align="flex-start">
        <Select
          aria-label="Kind of object"
          data={kinds}
          value={kind}
          allowDeselect={false}
          onChange={(next) => {
            setKind(next ?? byId);
            onChange('');
          }}
        />
        {kind === byId ? (
          <TextInput
            aria-label="Global id"
            placeholder="Paste a global id"
            value={value}
            onChange={(e) => onChange(e.currentTarget.value.trim())}
            name={`${field.name}.id`}
          />
        ) : (
          <Select
            aria-label="Object"
            placeholder={fetching ? 'Loading' : 'Choose one'}
            nothingFoundMessage="None of these"
            searchable
            onSearchChange={(text) => {
              if (!options.some((o) => o.label === text)) setTyped(text); // choosing one writes its label
            }}
            clearable
            limit={50}
            data={options}
            value={value || null}
            onChange={(next) => onChange(next ?? '')}
          />
        )}
      </Group>
      {kind === byId && value && <Preview id={value} />}
    </Input.Wrapper>
  );
}

/** What the id leads to, so that a person sees what the reference will mean. */
function Preview({ id }: { id: string }) {
  const [settled] = useDebouncedValue(id, 250);
  const [{ data, error, fetching }] = useQuery({ query: RESOLVE, variables: { refs: [settled] } });
  const target = data?.resolve[0];
  return (
    <Group gap={6} mt={6} mih={24}>
      <Text size="xs" c="dimmed">
        Leads to
      </Text>
      {error && !fetching && (
        <Text size="xs" c="red">
          nothing: this is not a global id
        </Text>
      )}
      {!error && target && <TargetLink target={target} />}
    </Group>
  );
}
