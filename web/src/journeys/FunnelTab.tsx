import { Button, Group, NumberInput, Paper, Select, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';

import { ownZone } from '../format/zone';
import { Icon } from '../ui/Icon';
import { Answer } from './Answer';
import { FunnelSteps } from './FunnelSteps';
import classes from './Journeys.module.css';
import type { FunnelInput, Selector } from './operations';
import { SelectorInput, wholeSelector } from './SelectorInput';

const units = [
  { value: 'ACTOR', label: 'Whom they are about' },
  { value: 'SESSION', label: 'Sessions' },
];

/** How many do the steps one after the other. */
export function FunnelTab() {
  const [steps, setSteps] = useState<Selector[]>([{ event: '' }, { event: '' }]);
  const [unit, setUnit] = useState<'ACTOR' | 'SESSION'>('ACTOR');
  const [hours, setHours] = useState(24);
  const [days, setDays] = useState(30);
  const [by, setBy] = useState('');
  const whole = steps.map(wholeSelector).filter((s) => s !== null);
  const input: FunnelInput | null =
    whole.length === steps.length
      ? { steps: whole, unit, windowSeconds: Math.round(hours * 3600), lastDays: days, timeZone: ownZone, by: by || null }
      : null;
  const [asked] = useDebouncedValue(input, 400);
  return (
    <div className={classes.columns}>
      <Paper withBorder p="md" component="section" aria-label="The steps">
        <Stack gap="sm">
          {steps.map((step, i) => (
            <SelectorInput
              key={i}
              label={`Step ${i + 1}`}
              value={step}
              onChange={(next) => setSteps(steps.map((s, n) => (n === i ? next : s)))}
              onRemove={steps.length > 2 ? () => setSteps(steps.filter((_, n) => n !== i)) : undefined}
            />
          ))}
          {steps.length < 10 && (
            <Button size="compact-sm" variant="default" leftSection={<Icon name="plus" size={14} />} onClick={() => setSteps([...steps, { event: '' }])}>
              Add a step
            </Button>
          )}
          <Select label="Journeys of" allowDeselect={false} data={units} value={unit} onChange={(v) => setUnit(v === 'SESSION' ? 'SESSION' : 'ACTOR')} />
          <Group grow gap="xs" align="flex-end">
            <NumberInput label="Within hours" min={0.01} max={8784} value={hours} onChange={(v) => Number(v) > 0 && setHours(Number(v))} />
            <NumberInput label="Of the last days" min={1} max={1100} allowDecimal={false} value={days} onChange={(v) => Number(v) > 0 && setDays(Number(v))} />
          </Group>
          <TextInput label="Broken down by" placeholder="A dimension of the first step" value={by} onChange={(e) => setBy(e.currentTarget.value)} />
        </Stack>
      </Paper>
      <Answer kind="Funnel" channel={asked && { funnel: asked }} hint="Name the events of each step.">
        {(funnel) => asked && <FunnelSteps funnel={funnel} input={asked} />}
      </Answer>
    </div>
  );
}
