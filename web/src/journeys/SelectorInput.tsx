import { Autocomplete, CloseButton, Group, Stack } from '@mantine/core';
import { useQuery } from 'urql';

import { Filters } from '../reports/Filters';
import { METRICS } from '../reports/operations';
import { useSession } from '../session/viewer';
import type { Selector } from './operations';

interface Props {
  label: string;
  value: Selector;
  onChange: (value: Selector) => void;
  onRemove?: (() => void) | undefined;
}

/** The name of events and what else must hold for them. */
export function SelectorInput({ label, value, onChange, onRemove }: Props) {
  const names = useEventNames();
  return (
    <Stack gap={6} role="group" aria-label={label}>
      <Group gap={4} align="flex-end" wrap="nowrap">
        <Autocomplete label={label} placeholder="Name of the events" flex={1} data={names} value={value.event} onChange={(event) => onChange({ ...value, event })} />
        {onRemove && <CloseButton mb={4} aria-label={`Remove ${label.toLowerCase()}`} onClick={onRemove} />}
      </Group>
      <Filters filters={value.where ?? []} dimensions={[]} most={5} onChange={(where) => onChange({ ...value, where })} />
    </Stack>
  );
}

/** Names of events to suggest: those that are counted. */
function useEventNames(): string[] {
  const sees = useSession().viewer.permissions.includes('analytics.report.view');
  const [{ data }] = useQuery({ query: METRICS, pause: !sees });
  return [...new Set((data?.metrics ?? []).map((m) => m.event))].toSorted();
}

/** The selector without the filters that are not whole yet; null while it names no events. */
export function wholeSelector(value: Selector): Selector | null {
  if (!value.event) return null;
  return { event: value.event, where: (value.where ?? []).filter((f) => f.dimension && f.in.length > 0) };
}
