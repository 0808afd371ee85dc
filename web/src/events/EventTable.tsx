import { Anchor, Paper, Table, Text } from '@mantine/core';

import { href, Link } from '../app/router';
import { figure } from '../format/number';
import { clockSeconds, date } from '../format/time';
import type { StoredEvent } from '../journeys/fragments';
import { Empty } from '../ui/Empty';

/** Events, one a row. */
export function EventTable({ events }: { events: StoredEvent[] }) {
  if (events.length === 0) return <Empty title="No such events">None that are stored pass the filter.</Empty>;
  return (
    <Paper withBorder style={{ overflow: 'hidden' }}>
      <Table.ScrollContainer minWidth={760} type="native">
        <Table verticalSpacing={6} horizontalSpacing="md" className="bb-numeric" data-testid="event-table">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>When</Table.Th>
              <Table.Th>Name</Table.Th>
              <Table.Th>About</Table.Th>
              <Table.Th>Session</Table.Th>
              <Table.Th>What</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {events.map((e) => (
              <Table.Tr key={e.id}>
                <Table.Td style={{ whiteSpace: 'nowrap' }} title={`Received ${date(e.receivedAt)}, ${clockSeconds(e.receivedAt)}`}>
                  {date(e.at)}, {clockSeconds(e.at)}
                </Table.Td>
                <Table.Td>{e.name}</Table.Td>
                <Table.Td>{e.actor ? <FilterLink name="actor" value={e.actor} /> : '–'}</Table.Td>
                <Table.Td>{e.session ? <FilterLink name="session" value={e.session} /> : '–'}</Table.Td>
                <Table.Td>
                  <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                    {membersOf(e).join(' · ') || '–'}
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

function FilterLink({ name, value }: { name: 'actor' | 'session'; value: string }) {
  return (
    <Anchor component={Link} size="sm" href={href('/events', { [name]: value })}>
      {value}
    </Anchor>
  );
}

function membersOf({ dims, values }: StoredEvent): string[] {
  const texts = Object.entries(dims).map(([name, text]) => `${name} ${String(text)}`);
  const numbers = Object.entries(values).map(([name, n]) => `${name} ${typeof n === 'number' ? figure(n) : String(n)}`);
  return [...texts, ...numbers];
}
