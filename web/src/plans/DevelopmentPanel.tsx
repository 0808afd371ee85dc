import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { dateTime } from '../format/time';
import type { Membership } from '../plan/fragments';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { ADVANCE_CLOCK, type Behavior, SET_BEHAVIOR } from './operations';

interface Props {
  membership: Membership;
  /** Whether the one who looks may say how payments go. */
  pays: boolean;
  reload: () => void;
}

/** What is only there in development: time that passes on demand, and payments that go as one likes. */
export function DevelopmentPanel({ membership, pays, reload }: Props) {
  return (
    <Panel title="In development" hint="Not there where real people pay" data-testid="development">
      <Stack>
        <Clock membership={membership} reload={reload} />
        {pays && <Payments user={membership.subject} />}
      </Stack>
    </Panel>
  );
}

function Clock({ membership, reload }: Omit<Props, 'pays'>) {
  const { run, busy, failure } = useAct(ADVANCE_CLOCK);
  const [to, setTo] = useState('');
  const advance = async (at: string) => {
    if (!(await run({ input: { user: membership.subject, to: at } }))) return;
    setTo('');
    reload();
  };
  return (
    <Stack gap="xs">
      <Text size="sm">For this membership, it is {dateTime(membership.now)}.</Text>
      {failure && <ProblemNote problem={failure} />}
      <Group gap="xs" align="flex-end">
        <TextInput label="Move its clock to" name="clock" type="datetime-local" value={to} onChange={(e) => setTo(e.currentTarget.value)} />
        <Button variant="default" loading={busy} disabled={!to} onClick={() => void advance(new Date(to).toISOString())}>
          Move
        </Button>
        <Button variant="default" disabled={busy} onClick={() => void advance(justAfter(membership.until ?? membership.periodEnd))}>
          To the end of the period
        </Button>
      </Group>
    </Stack>
  );
}

/** A second after an instant: what comes by the clock has then come. */
function justAfter(at: string): string {
  return new Date(Date.parse(at) + 1000).toISOString();
}

const behaviors: { value: Behavior; label: string }[] = [
  { value: 'PAYS', label: 'Takes the money' },
  { value: 'DECLINES', label: 'Declines' },
  { value: 'UNREACHABLE', label: 'Does not answer, and takes nothing' },
  { value: 'PAYS_SILENTLY', label: 'Takes the money, and its answer is lost' },
  { value: 'ASKS_PAYER', label: 'Asks the person to pay first' },
];

function Payments({ user }: { user: string }) {
  const { run, busy, failure } = useAct(SET_BEHAVIOR);
  const [behavior, setBehavior] = useState<Behavior>('PAYS');
  const [done, setDone] = useState('');
  const set = async () => {
    setDone('');
    if (await run({ input: { user, behavior } })) setDone('It does from now on.');
  };
  return (
    <Stack gap="xs">
      {failure && <ProblemNote problem={failure} />}
      <Group gap="xs" align="flex-end">
        <Select
          label="What the test provider does"
          allowDeselect={false}
          data={behaviors}
          value={behavior}
          onChange={(next) => setBehavior((next as Behavior | null) ?? 'PAYS')}
          w={300}
          maw="100%"
        />
        <Button variant="default" loading={busy} onClick={() => void set()}>
          Set
        </Button>
        <Text size="sm" role="status">
          {done}
        </Text>
      </Group>
    </Stack>
  );
}
