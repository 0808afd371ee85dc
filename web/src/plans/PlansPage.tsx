import { Stack, Tabs, Text, Title } from '@mantine/core';

import { href, navigate, useSearch } from '../app/router';
import { useSession } from '../session/viewer';
import { NoAccess } from '../ui/NoAccess';
import { CatalogueTab } from './CatalogueTab';
import { MembersTab } from './MembersTab';

/** What is on offer, as its editors see it, and who is on which plan. */
export default function PlansPage() {
  const { permissions } = useSession().viewer;
  const edits = permissions.includes('plan.catalogue.write');
  const reads = permissions.includes('plan.membership.read');
  const writes = permissions.includes('plan.membership.write');
  const search = useSearch();
  if (!edits && !reads && !writes) {
    return <NoAccess title="Plans are closed to you">Your roles let you neither edit the plans nor see who is on them.</NoAccess>;
  }
  const tab = search.get('tab') ?? (edits ? 'catalogue' : 'members');
  return (
    <Stack data-testid="plans">
      <div>
        <Title order={1} fz="h2">
          Plans
        </Title>
        <Text size="sm" c="dimmed">
          What is on offer, and who is on which plan.
        </Text>
      </div>
      <Tabs value={tab} onChange={(next) => navigate(href('/plans', { tab: next }))} keepMounted={false}>
        <Tabs.List mb="md">
          {edits && <Tabs.Tab value="catalogue">Catalogue</Tabs.Tab>}
          {(reads || writes) && <Tabs.Tab value="members">Members</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="catalogue">
          <CatalogueTab />
        </Tabs.Panel>
        <Tabs.Panel value="members">
          <MembersTab plan={search.get('plan')} user={search.get('user')} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
