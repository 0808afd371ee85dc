import { Autocomplete, Button, CloseButton, Group, Select, Stack, TagsInput } from '@mantine/core';

import { Icon } from '../ui/Icon';
import type { Filter } from './operations';

interface Props {
  filters: Filter[];
  /** Dimensions to suggest; others are possible. */
  dimensions: string[];
  most: number;
  onChange: (filters: Filter[]) => void;
}

/** Filters of events by their dimensions. */
export function Filters({ filters, dimensions, most, onChange }: Props) {
  const set = (i: number, next: Partial<Filter>) => onChange(filters.map((f, n) => (n === i ? { ...f, ...next } : f)));
  return (
    <Stack gap="xs" align="stretch">
      {filters.map((f, i) => (
        <Stack key={i} gap={4} role="group" aria-label={`Filter ${i + 1}`} data-testid="filter">
          <Group gap={4} wrap="nowrap">
            <Autocomplete aria-label="Dimension" placeholder="Dimension" flex={1} size="xs" data={dimensions} value={f.dimension} onChange={(dimension) => set(i, { dimension })} />
            <Select
              aria-label="How"
              w={92}
              size="xs"
              allowDeselect={false}
              data={[
                { value: 'is', label: 'is' },
                { value: 'not', label: 'is not' },
              ]}
              value={f.not ? 'not' : 'is'}
              onChange={(v) => set(i, { not: v === 'not' })}
            />
            <CloseButton size="sm" aria-label={`Remove filter ${i + 1}`} onClick={() => onChange(filters.filter((_, n) => n !== i))} />
          </Group>
          <TagsInput aria-label="Values" placeholder="Values, each with Enter" size="xs" acceptValueOnBlur value={f.in} onChange={(values) => set(i, { in: values })} />
        </Stack>
      ))}
      {filters.length < most && (
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => onChange([...filters, { dimension: dimensions[0] ?? '', in: [], not: false }])}
        >
          Add a filter
        </Button>
      )}
    </Stack>
  );
}
