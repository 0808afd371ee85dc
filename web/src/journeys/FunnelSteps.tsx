import { Button, Group, Table, Text } from '@mantine/core';
import { useState } from 'react';

import { count, percent } from '../format/number';
import { Behind } from './Behind';
import classes from './Journeys.module.css';
import type { BehindInput, Funnel, FunnelInput } from './operations';
import { duration, placeWord } from './words';

/** A bar for each step, and who went no further. */
export function FunnelSteps({ funnel, input }: { funnel: Funnel; input: FunnelInput }) {
  const [behind, setBehind] = useState<{ title: string; input: BehindInput } | null>(null);
  const first = funnel.steps[0]?.entered ?? 0;
  const show = (step: number, dropped: boolean) =>
    setBehind({ title: `${dropped ? 'Went no further than' : 'Came to'} step ${step}`, input: { funnel: { funnel: input, step, dropped } } });
  return (
    <>
      <ol className={classes.steps} aria-label="Steps" data-testid="funnel">
        {funnel.steps.map((s, i) => {
          const share = first === 0 ? 0 : s.entered / first;
          return (
            <li key={i}>
              <Group justify="space-between" gap="xs" mb={4}>
                <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>
                  {i + 1}. {s.event}
                </Text>
                <Text size="sm" className="bb-numeric">
                  <strong>{count(s.entered)}</strong> · {percent(share)}
                </Text>
              </Group>
              <div className={classes.track}>
                <div className={classes.bar} style={{ width: `${share * 100}%` }} />
              </div>
              <Group justify="space-between" gap="xs" mt={4}>
                <Text size="xs" c="dimmed" className="bb-numeric">
                  {i > 0 && `half within ${duration(s.medianSeconds)}, nine in ten within ${duration(s.p90Seconds)} · `}
                  {count(s.dropped)} went no further
                </Text>
                <Group gap={4}>
                  <Button size="compact-xs" variant="subtle" disabled={s.entered === 0} aria-label={`Who came to step ${i + 1}`} onClick={() => show(i + 1, false)}>
                    Who came
                  </Button>
                  <Button size="compact-xs" variant="subtle" disabled={s.dropped === 0} aria-label={`Who stopped at step ${i + 1}`} onClick={() => show(i + 1, true)}>
                    Who stopped
                  </Button>
                </Group>
              </Group>
            </li>
          );
        })}
      </ol>
      {funnel.groups.length > 0 && (
        <Table.ScrollContainer minWidth={360} type="native" mt="md">
          <Table className="bb-numeric" verticalSpacing={5} aria-label="By group">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{input.by}</Table.Th>
                {funnel.steps.map((s, i) => (
                  <Table.Th key={i} ta="right">
                    {i + 1}. {s.event}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {funnel.groups.map((g) => (
                <Table.Tr key={g.key}>
                  <Table.Th scope="row" fw={500}>
                    {placeWord(g.key)}
                  </Table.Th>
                  {g.steps.map((s, i) => (
                    <Table.Td key={i} ta="right">
                      {count(s.entered)} · {percent(s.entered / (g.steps[0]?.entered || 1))}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {behind && <Behind {...behind} onClose={() => setBehind(null)} />}
    </>
  );
}
