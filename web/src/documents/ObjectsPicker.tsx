import { CloseButton, Fieldset, Group, Stack } from '@mantine/core';
import { useQuery } from 'urql';

import { humanize } from '../format/text';
import { ObjectPicker } from './ObjectPicker';
import { type ContentType, RESOLVE } from './operations';
import { TargetLink } from './References';
import type { Field } from './schema';

interface Props {
  field: Field;
  types: ContentType[];
  /** Global ids. */
  value: string[];
  onChange: (ids: string[]) => void;
  error?: string | undefined;
}

/** Chooses the objects that a list of references points at. */
export function ObjectsPicker({ field, types, value, onChange, error }: Props) {
  const [{ data }] = useQuery({ query: RESOLVE, variables: { refs: value }, pause: value.length === 0 });
  const targets = new Map(data?.resolve.map((t, i) => [value[i], t]));
  return (
    <Fieldset legend={humanize(field.name)}>
      <Stack gap="xs">
        {value.map((id) => {
          const target = targets.get(id);
          return (
            <Group key={id} gap={6} wrap="nowrap">
              {target ? <TargetLink target={target} /> : id}
              <CloseButton size="sm" aria-label={`Take ${id} out`} onClick={() => onChange(value.filter((v) => v !== id))} />
            </Group>
          );
        })}
        <ObjectPicker
          key={value.length}
          field={{ ...field, name: 'add', required: field.required && value.length === 0 }}
          types={types}
          value=""
          onChange={(id) => id && !value.includes(id) && onChange([...value, id])}
          error={error}
        />
      </Stack>
    </Fieldset>
  );
}
