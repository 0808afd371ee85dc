import { Box, Group, Menu, Paper, SimpleGrid, Stack, Switch, TagsInput, Text, TextInput, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { href, replace, useSearch } from '../app/router';
import { Filters } from '../reports/Filters';
import { useSession } from '../session/viewer';
import { NoAccess } from '../ui/NoAccess';
import { DownloadMenu } from '../ui/DownloadMenu';
import { ProblemNote } from '../ui/ProblemNote';
import { ExportJob } from './ExportJob';
import { type EventFilter, EXPORT_EVENTS } from './operations';
import { StoredEvents } from './StoredEvents';
import { Tail } from './Tail';

/** The stored events, or those that come in. */
export default function EventsPage() {
  const { permissions } = useSession().viewer;
  const search = useSearch();
  const [live, setLive] = useState(false);
  const [names, setNames] = useState<string[]>([]);
  const [where, setWhere] = useState<NonNullable<EventFilter['where']>>([]);
  const [job, setJob] = useState<string | null>(null);
  const { run, failure } = useAct(EXPORT_EVENTS);
  const actor = search.get('actor') ?? '';
  const session = search.get('session') ?? '';
  const filter: EventFilter = {
    names: names.length > 0 ? names : null,
    actor: actor || null,
    session: session || null,
    where: where.filter((f) => f.dimension && f.in.length > 0),
  };
  const [asked] = useDebouncedValue(JSON.stringify(filter), 300);
  if (!permissions.includes('analytics.event.read')) {
    return <NoAccess title="Events are closed to you">Your roles do not let you see single events.</NoAccess>;
  }
  const settled = JSON.parse(asked) as EventFilter;
  // A file has events of one name, whoever they are about.
  const [name, ...more] = settled.names ?? [];
  const only = name && more.length === 0 && !settled.actor && !settled.session ? { name, where: settled.where ?? [] } : null;
  const write = async (of: { name: string; where: NonNullable<EventFilter['where']> }) => {
    const answer = await run({ input: { ...of, format: 'CSV' } });
    setJob(answer?.exportEvents.job.id ?? null);
  };
  return (
    <Stack data-testid="events">
      <Group justify="space-between" gap="sm">
        <Box>
          <Title order={1} fz="h2">
            Events
          </Title>
          <Text size="sm" c="dimmed">
            What was reported, one by one.
          </Text>
        </Box>
        <Group gap="md">
          <Switch label="As they come in" checked={live} onChange={(e) => setLive(e.currentTarget.checked)} />
          {only && (
            <DownloadMenu href={(format) => `/exports/events?${new URLSearchParams({ ...only, where: JSON.stringify(only.where), format })}`}>
              <Menu.Divider />
              <Menu.Item onClick={() => void write(only)}>In the background, for many: CSV</Menu.Item>
            </DownloadMenu>
          )}
        </Group>
      </Group>
      {failure && <ProblemNote problem={failure} />}
      {job && <ExportJob key={job} id={job} />}
      <Paper withBorder p="md" component="section" aria-label="Which events">
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }} spacing="sm">
          <TagsInput label="Names" placeholder={names.length === 0 ? 'All' : undefined} acceptValueOnBlur maxTags={50} value={names} onChange={setNames} />
          <TextInput label="Whom they are about" placeholder="Anybody" value={actor} onChange={(e) => replace(href('/events', { actor: e.currentTarget.value, session }))} />
          <TextInput label="Session" placeholder="Any" value={session} onChange={(e) => replace(href('/events', { actor, session: e.currentTarget.value }))} />
          <Box pt={{ base: 0, sm: 25 }}>
            <Filters filters={where} dimensions={[]} most={5} onChange={setWhere} />
          </Box>
        </SimpleGrid>
      </Paper>
      {live ? <Tail filter={settled} /> : <StoredEvents key={asked} filter={settled} />}
    </Stack>
  );
}
