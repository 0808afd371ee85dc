import { Stack, Tabs, Text, Title } from '@mantine/core';

import { href, navigate, useSearch } from '../app/router';
import { useSession } from '../session/viewer';
import { NoAccess } from '../ui/NoAccess';
import { FunnelTab } from './FunnelTab';
import { PathsTab } from './PathsTab';
import { RetentionTab } from './RetentionTab';

/** What those whom events are about do one after the other. */
export default function JourneysPage() {
  const { permissions } = useSession().viewer;
  const tab = useSearch().get('tab') ?? 'funnel';
  if (!permissions.includes('analytics.event.read')) {
    return <NoAccess title="Journeys are closed to you">Your roles do not let you see single events.</NoAccess>;
  }
  return (
    <Stack data-testid="journeys">
      <div>
        <Title order={1} fz="h2">
          Journeys
        </Title>
        <Text size="sm" c="dimmed">
          What people and sessions do one after the other, by the events that say whom they are about.
        </Text>
      </div>
      <Tabs value={tab} onChange={(next) => navigate(href('/journeys', { tab: next }))} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="funnel">Funnel</Tabs.Tab>
          <Tabs.Tab value="retention">Retention</Tabs.Tab>
          <Tabs.Tab value="paths">Paths</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="funnel">
          <FunnelTab />
        </Tabs.Panel>
        <Tabs.Panel value="retention">
          <RetentionTab />
        </Tabs.Panel>
        <Tabs.Panel value="paths">
          <PathsTab />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
