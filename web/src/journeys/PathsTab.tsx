import { Group, NumberInput, Paper, SegmentedControl, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';

import { ownZone } from '../format/zone';
import { Answer } from './Answer';
import classes from './Journeys.module.css';
import type { PathsInput, Selector } from './operations';
import { PathLevels } from './PathLevels';
import { SelectorInput, wholeSelector } from './SelectorInput';

/** What sessions do after an event, or did before it. */
export function PathsTab() {
  const [anchor, setAnchor] = useState<Selector>({ event: '' });
  const [direction, setDirection] = useState<'AFTER' | 'BEFORE'>('AFTER');
  const [depth, setDepth] = useState(3);
  const [days, setDays] = useState(30);
  const [by, setBy] = useState('');
  const whole = wholeSelector(anchor);
  const input: PathsInput | null = whole && { anchor: whole, direction, depth, top: 10, by: by || null, lastDays: days, timeZone: ownZone };
  const [asked] = useDebouncedValue(input, 400);
  return (
    <div className={classes.columns}>
      <Paper withBorder p="md" component="section" aria-label="The event">
        <Stack gap="sm">
          <SelectorInput label="Event" value={anchor} onChange={setAnchor} />
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label="Direction"
            data={[
              { value: 'AFTER', label: 'After it' },
              { value: 'BEFORE', label: 'Before it' },
            ]}
            value={direction}
            onChange={(v) => setDirection(v === 'BEFORE' ? 'BEFORE' : 'AFTER')}
          />
          <Group grow gap="xs" align="flex-end">
            <NumberInput label="Steps" min={1} max={5} clampBehavior="strict" allowDecimal={false} value={depth} onChange={(v) => Number(v) > 0 && setDepth(Number(v))} />
            <NumberInput label="Of the last days" min={1} max={1100} allowDecimal={false} value={days} onChange={(v) => Number(v) > 0 && setDays(Number(v))} />
          </Group>
          <TextInput label="Told apart by" placeholder="A dimension, such as page" value={by} onChange={(e) => setBy(e.currentTarget.value)} />
        </Stack>
      </Paper>
      <Answer kind="Paths" channel={asked && { paths: asked }} hint="Name the event to look from.">
        {(paths) => <PathLevels paths={paths} />}
      </Answer>
    </div>
  );
}
