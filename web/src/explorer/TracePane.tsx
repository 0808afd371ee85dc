import { Group, ScrollArea, Switch, Table, Text } from '@mantine/core';

import classes from './ExplorerPage.module.css';
import type { Trace } from './trace';

interface Props {
  on: boolean;
  turn(on: boolean): void;
  trace: Trace | null;
}

/** What the last operation did, for those who may know. */
export function TracePane({ on, turn, trace }: Props) {
  return (
    <section className={classes.trace} aria-label="Trace" data-testid="trace">
      <Group gap="md" px="md" py={6}>
        <Switch size="xs" label="Trace" checked={on} onChange={(e) => turn(e.currentTarget.checked)} />
        {on && <Text size="xs">{trace ? summary(trace) : 'Run a query to see what it does.'}</Text>}
      </Group>
      {on && trace && !trace.code && trace.commands.length > 0 && (
        <ScrollArea.Autosize mah={180} px="md" pb="xs">
          <Table fz="xs" verticalSpacing={2}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Command</Table.Th>
                <Table.Th>Collection</Table.Th>
                <Table.Th ta="right">At</Table.Th>
                <Table.Th ta="right">Took</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {trace.commands.map((c, i) => (
                <Table.Tr key={i} c={c.failed ? 'red' : undefined}>
                  <Table.Td>{c.command}</Table.Td>
                  <Table.Td>{c.collection}</Table.Td>
                  <Table.Td ta="right">{ms(c.atMs)}</Table.Td>
                  <Table.Td ta="right">{ms(c.ms)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea.Autosize>
      )}
    </section>
  );
}

function summary(t: Trace): string {
  if (t.code) return `The server does not tell: ${t.code}`;
  const made = t.cached ? 'document known' : `parsed in ${ms(t.parseMs)}, validated in ${ms(t.validateMs)}`;
  const more = t.omitted > 0 ? `, ${t.omitted} more commands` : '';
  return `${made}; executed in ${ms(t.executeMs)}; ${t.finds} finds, database ${ms(t.mongoMs)}${more}`;
}

const ms = (n: number) => `${n.toFixed(1)} ms`;
