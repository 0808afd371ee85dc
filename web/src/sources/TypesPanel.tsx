import { Badge, Button, Group, Skeleton, Table, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { plural } from '../format/text';
import { ago } from '../format/time';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { useNow } from '../ui/useNow';
import { EVENT_TYPES, type EventType } from './operations';
import { TypeForm } from './TypeForm';

/** The names of events, known or not. */
export function TypesPanel() {
  const [{ data, error }, again] = useQuery({ query: EVENT_TYPES, requestPolicy: 'cache-and-network' });
  // What is known already; null for a name that is not there yet.
  const [doing, setDoing] = useState<EventType | null | undefined>(undefined);
  const now = useNow(30_000);
  const reload = () => again({ requestPolicy: 'network-only' });
  return (
    <Panel
      title="Known events"
      hint="Events nobody has described are stored all the same"
      data-testid="panel-event-types"
      aside={
        <Button size="compact-sm" variant="light" onClick={() => setDoing(null)}>
          Describe events
        </Button>
      }
    >
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={120} />}
      {data && (
        <Table.ScrollContainer minWidth={680} type="native">
          <Table verticalSpacing={7} aria-label="Known events">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Dimensions and values</Table.Th>
                <Table.Th>Kept</Table.Th>
                <Table.Th>Stored</Table.Th>
                <Table.Th aria-label="What can be done" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.eventTypes.map((t) => (
                <Table.Tr key={t.name} data-testid={`event-type-${t.name}`}>
                  <Table.Td>
                    <Group gap={6}>
                      {t.name}
                      {!t.known && (
                        <Badge size="sm" variant="light" color="yellow" tt="none">
                          unknown
                        </Badge>
                      )}
                    </Group>
                    <Text size="xs" c="dimmed">
                      {t.description}
                    </Text>
                  </Table.Td>
                  <Table.Td>
                    {[...t.dims, ...t.values].join(', ') || '–'}
                    {t.strict && (
                      <Text size="xs" c="dimmed">
                        no others
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td>{t.retentionDays === 0 ? 'for ever' : plural(t.retentionDays, 'day')}</Table.Td>
                  <Table.Td>
                    {t.stored >= 1000 ? '1,000 or more' : t.stored}
                    {t.lastAt && (
                      <Text size="xs" c="dimmed">
                        newest {ago(t.lastAt, now)}
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">
                    <Button size="compact-sm" variant="default" aria-label={`Describe ${t.name}`} onClick={() => setDoing(t)}>
                      Describe
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {doing !== undefined && (
        <TypeForm
          type={doing}
          onClose={() => setDoing(undefined)}
          onDone={() => {
            setDoing(undefined);
            reload();
          }}
        />
      )}
    </Panel>
  );
}
