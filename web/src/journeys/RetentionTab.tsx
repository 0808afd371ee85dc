import { Checkbox, Group, NumberInput, Paper, Select, Stack } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';

import { ownZone } from '../format/zone';
import { Answer } from './Answer';
import { Cohorts } from './Cohorts';
import classes from './Journeys.module.css';
import type { RetentionInput, Selector } from './operations';
import { SelectorInput, wholeSelector } from './SelectorInput';

type Period = NonNullable<RetentionInput['period']>;

const periods: { value: Period; label: string }[] = [
  { value: 'DAY', label: 'Days' },
  { value: 'WEEK', label: 'Weeks' },
  { value: 'MONTH', label: 'Months' },
];

/** How many of those who began come back. */
export function RetentionTab() {
  const [start, setStart] = useState<Selector>({ event: '' });
  const [back, setBack] = useState<Selector>({ event: '' });
  const [recurring, setRecurring] = useState(false);
  const [period, setPeriod] = useState<Period>('WEEK');
  const [last, setLast] = useState(8);
  const began = wholeSelector(start);
  const came = wholeSelector(back);
  const input: RetentionInput | null =
    began && came ? { start: began, return: came, recurring, period, last, periods: Math.min(last, 12), timeZone: ownZone } : null;
  const [asked] = useDebouncedValue(input, 400);
  return (
    <div className={classes.columns}>
      <Paper withBorder p="md" component="section" aria-label="Who is looked at">
        <Stack gap="sm">
          <SelectorInput label="Begins with" value={start} onChange={setStart} />
          <SelectorInput label="Comes back with" value={back} onChange={setBack} />
          <Group grow gap="xs">
            <NumberInput label="The last" min={1} max={60} allowDecimal={false} value={last} onChange={(v) => Number(v) > 0 && setLast(Number(v))} />
            <Select label="Of these" allowDeselect={false} data={periods} value={period} onChange={(v) => v && setPeriod(v as Period)} />
          </Group>
          <Checkbox label="Who begins again is in each of them" checked={recurring} onChange={(e) => setRecurring(e.currentTarget.checked)} />
        </Stack>
      </Paper>
      <Answer kind="Retention" channel={asked && { retention: asked }} hint="Name the event that begins, and the one of who comes back.">
        {(retention) => asked && <Cohorts retention={retention} input={asked} />}
      </Answer>
    </div>
  );
}
