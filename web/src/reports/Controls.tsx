import { Checkbox, Group, NumberInput, Paper, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';

import { zones } from '../format/zone';
import { type Aggregate, aggregatesOf, type Compare, type Draft, type Fill, isZeroWhenEmpty, type Step, type Weekday } from './draft';
import { Filters } from './Filters';
import type { Metric } from './operations';
import classes from './ReportsPage.module.css';
import { aggregateWords, choices, compareWords, fillWords, stepWords, weekdayWords } from './words';

interface Props {
  draft: Draft;
  metrics: Metric[];
  metric: Metric;
  onSet: (next: Partial<Draft>) => void;
  onMetric: (key: string) => void;
}

/** All that can be asked of a metric. */
export function Controls({ draft, metrics, metric, onSet, onMetric }: Props) {
  return (
    <Paper withBorder p="md" component="section" aria-label="What the report shows" data-testid="controls">
      <Stack gap="md">
        <What draft={draft} metrics={metrics} metric={metric} onSet={onSet} onMetric={onMetric} />
        <When draft={draft} onSet={onSet} />
        <Apart draft={draft} metric={metric} onSet={onSet} />
        <Shape draft={draft} onSet={onSet} />
      </Stack>
    </Paper>
  );
}

function Set({ legend, children }: { legend: string; children: ReactNode }) {
  return (
    <fieldset className={classes.set}>
      <legend>{legend}</legend>
      <Stack gap="xs">{children}</Stack>
    </fieldset>
  );
}

function What({ draft, metrics, metric, onSet, onMetric }: Props) {
  return (
    <Set legend="What">
      <Select label="Metric" searchable allowDeselect={false} data={metrics.map((m) => m.key)} value={metric.key} onChange={(key) => key && onMetric(key)} />
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <Select
          label="Shown as"
          flex={1}
          allowDeselect={false}
          data={choices(aggregateWords, aggregatesOf(metric))}
          value={draft.aggregate}
          onChange={(v) => v && onSet({ aggregate: v as Aggregate })}
        />
        {draft.aggregate === 'QUANTILE' && (
          <NumberInput
            label="Which, %"
            w={96}
            min={0}
            max={100}
            value={draft.quantile * 100}
            onChange={(v) => typeof v === 'number' && onSet({ quantile: v / 100 })}
          />
        )}
      </Group>
    </Set>
  );
}

function When({ draft, onSet }: Pick<Props, 'draft' | 'onSet'>) {
  const days = { min: '1970-01-01', max: '2100-01-01', type: 'date' as const };
  return (
    <Set legend="When">
      <SegmentedControl
        fullWidth
        size="xs"
        aria-label="Range"
        data={[
          { value: 'last', label: 'The last, live' },
          { value: 'days', label: 'Given days' },
        ]}
        value={draft.last === null ? 'days' : 'last'}
        onChange={(v) => onSet({ last: v === 'last' ? 60 : null })}
      />
      <Group gap="xs" wrap="nowrap" grow>
        {draft.last !== null && (
          <NumberInput
            label="How many"
            min={1}
            max={1500}
            clampBehavior="strict"
            allowDecimal={false}
            value={draft.last}
            onChange={(v) => typeof v === 'number' && v > 0 && onSet({ last: v })}
          />
        )}
        <Select
          label={draft.last === null ? 'By' : 'Of these'}
          allowDeselect={false}
          data={choices(stepWords)}
          value={draft.step}
          onChange={(v) => v && onSet({ step: v as Step })}
        />
      </Group>
      {draft.last === null && (
        <Group gap="xs" wrap="nowrap" grow>
          <TextInput label="First day" {...days} value={draft.from} onChange={(e) => e.currentTarget.value && onSet({ from: e.currentTarget.value })} />
          <TextInput label="Last day" {...days} value={draft.to} onChange={(e) => e.currentTarget.value && onSet({ to: e.currentTarget.value })} />
        </Group>
      )}
      <Select label="Time zone" searchable limit={60} allowDeselect={false} data={zones} value={draft.zone} onChange={(v) => v && onSet({ zone: v })} />
      {draft.step === 'WEEK' && (
        <Select
          label="Weeks begin on"
          allowDeselect={false}
          data={choices(weekdayWords)}
          value={draft.weekStart}
          onChange={(v) => v && onSet({ weekStart: v as Weekday })}
        />
      )}
    </Set>
  );
}

function Apart({ draft, metric, onSet }: Pick<Props, 'draft' | 'metric' | 'onSet'>) {
  return (
    <Set legend="Told apart and filtered">
      <Group gap="xs" wrap="nowrap" align="flex-end">
        <Select
          label="Broken down by"
          flex={1}
          clearable
          placeholder="Nothing"
          data={metric.dimensions}
          value={draft.by}
          onChange={(by) => onSet({ by })}
        />
        {draft.by && (
          <NumberInput
            label="Top"
            w={76}
            min={1}
            max={50}
            clampBehavior="strict"
            allowDecimal={false}
            value={draft.top}
            onChange={(v) => typeof v === 'number' && v > 0 && onSet({ top: v })}
          />
        )}
      </Group>
      {draft.by && <Checkbox label="The others together" checked={draft.other} onChange={(e) => onSet({ other: e.currentTarget.checked })} />}
      <Filters filters={draft.where} dimensions={metric.dimensions} most={10} onChange={(where) => onSet({ where })} />
    </Set>
  );
}

function Shape({ draft, onSet }: Pick<Props, 'draft' | 'onSet'>) {
  return (
    <Set legend="Shape">
      <Select
        label="Compared with"
        allowDeselect={false}
        data={choices(compareWords)}
        value={draft.compare}
        onChange={(v) => v && onSet({ compare: v as Compare })}
      />
      <Select
        label="Without events"
        allowDeselect={false}
        data={choices(fillWords)}
        value={draft.fill ?? (isZeroWhenEmpty(draft.aggregate) ? 'ZERO' : 'NULL')}
        onChange={(v) => v && onSet({ fill: v as Fill })}
      />
      <NumberInput
        label="Moving average over"
        placeholder="None"
        min={2}
        max={100}
        allowDecimal={false}
        disabled={draft.cumulative}
        value={draft.average ?? ''}
        onChange={(v) => onSet({ average: typeof v === 'number' && v >= 2 ? v : null })}
      />
      <Checkbox
        label="Added up from the begin on"
        disabled={draft.aggregate === 'RATE'}
        checked={draft.cumulative}
        onChange={(e) => onSet({ cumulative: e.currentTarget.checked })}
      />
    </Set>
  );
}
