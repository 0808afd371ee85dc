import { Autocomplete, Checkbox, Group, NumberInput, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';

import { blamed } from '../api/problem';
import { useAct } from '../api/useAct';
import { Filters } from '../reports/Filters';
import type { Metric } from '../reports/operations';
import { FormDialog } from '../ui/FormDialog';
import { DEFINE_METRIC, type DefineMetricInput } from './operations';

interface Props {
  /** The metric to change; null to make one. */
  metric: Metric | null;
  onClose: () => void;
}

const blank: Metric = {
  key: '',
  event: '',
  value: null,
  unique: null,
  quantiles: false,
  where: [],
  dimensions: [],
  maxKeys: 1000,
  minuteDays: 7,
  hourDays: 400,
};

/** Names each member: what was read from the server says of what type it is, which an input must not. */
function inputOf({ key, event, value, unique, quantiles, where, dimensions, maxKeys, minuteDays, hourDays }: Metric): DefineMetricInput {
  const whole = where.filter((f) => f.dimension && f.in.length > 0);
  return {
    key,
    event,
    value: value || null,
    unique: unique || null,
    quantiles,
    where: whole.map(({ dimension, in: values, not }) => ({ dimension, in: values, not })),
    dimensions,
    maxKeys,
    minuteDays,
    hourDays,
  };
}

/** Says what is counted. */
export function DefineMetric({ metric, onClose }: Props) {
  const [draft, setDraft] = useState(metric ?? blank);
  const { run, busy, failure } = useAct(DEFINE_METRIC);
  const set = (next: Partial<Metric>) => setDraft({ ...draft, ...next });
  const wrong = (name: keyof Metric) => blamed(failure) === name && failure?.text;
  const submit = async () => {
    if (await run({ input: inputOf(draft) })) onClose();
  };
  const number = (name: 'maxKeys' | 'minuteDays' | 'hourDays', label: string, max: number) => (
    <NumberInput
      label={label}
      min={1}
      max={max}
      allowDecimal={false}
      required
      withAsterisk={false}
      value={draft[name]}
      error={wrong(name)}
      onChange={(v) => set({ [name]: Number(v) })}
    />
  );
  return (
    <FormDialog
      title={metric ? `Change ${metric.key}` : 'New metric'}
      submit={metric ? 'Change' : 'Define'}
      busy={busy}
      failure={failure}
      onSubmit={() => void submit()}
      onClose={onClose}
      data-testid="define-metric"
    >
      <TextInput
        label="Key"
        description="Short and unique, such as flights.delay"
        name="metric-key"
        required
        withAsterisk={false}
        disabled={metric !== null}
        value={draft.key}
        error={wrong('key')}
        onChange={(e) => set({ key: e.currentTarget.value })}
      />
      <TextInput
        label="Name of the events"
        name="event"
        required
        withAsterisk={false}
        value={draft.event}
        error={wrong('event')}
        onChange={(e) => set({ event: e.currentTarget.value })}
      />
      <TextInput
        label="Value"
        description="A number of the events; empty to count them only"
        name="value"
        value={draft.value ?? ''}
        error={wrong('value')}
        onChange={(e) => set({ value: e.currentTarget.value, ...(!e.currentTarget.value && { quantiles: false }) })}
      />
      <Checkbox label="Keep how the value is distributed, for quantiles" disabled={!draft.value} checked={draft.quantiles} onChange={(e) => set({ quantiles: e.currentTarget.checked })} />
      <Autocomplete
        label="Different ones of"
        description="Counts how many different of these there are; empty for none"
        name="unique"
        data={['actor', 'session', 'user', ...draft.dimensions.filter((d) => !['actor', 'session', 'user'].includes(d))]}
        value={draft.unique ?? ''}
        error={wrong('unique')}
        onChange={(unique) => set({ unique })}
      />
      <TagsInput
        label="Dimensions"
        description="What reports may break down by, each with Enter"
        acceptValueOnBlur
        maxTags={16}
        value={draft.dimensions}
        error={wrong('dimensions')}
        onChange={(dimensions) => set({ dimensions })}
      />
      <Filters filters={draft.where} dimensions={draft.dimensions} most={10} onChange={(where) => set({ where: where.map((f) => ({ ...f, not: f.not ?? false })) })} />
      <Group grow align="flex-end">
        {number('maxKeys', 'Values told apart', 5000)}
        {number('minuteDays', 'Days by the minute', 3650)}
        {number('hourDays', 'Days by the hour', 3650)}
      </Group>
    </FormDialog>
  );
}
