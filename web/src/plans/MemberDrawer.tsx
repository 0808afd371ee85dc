import { Drawer, Group, Skeleton, Stack } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { LedgerPanel } from '../plan/LedgerPanel';
import { STANDING } from '../plan/operations';
import { StatusFacts } from '../plan/StatusFacts';
import { FeaturesPanel, UsagePanel } from '../plan/UsagePanel';
import { type Standing, useStanding } from '../plan/useStanding';
import { useSession } from '../session/viewer';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { DevelopmentPanel } from './DevelopmentPanel';
import { HoldButtons } from './HoldButtons';
import { OverridesPanel } from './OverridesPanel';
import { Refund } from './Refund';
import { useNames } from './useNames';
import { usePlanNames } from './usePlanNames';

/** All there is to know of somebody's membership, and what an administrator can do about it. */
export function MemberDrawer({ user, onClose }: { user: string | null; onClose: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: STANDING,
    variables: { user },
    pause: !user,
    requestPolicy: 'cache-and-network',
  });
  const names = useNames(user ? [user] : []);
  const reload = () => again({ requestPolicy: 'network-only' });
  const read = data && data.membership.subject === user ? data : undefined;
  return (
    <Drawer
      opened={user !== null}
      onClose={onClose}
      position="right"
      size="xl"
      title={(user && names.get(user)) ?? user ?? ''}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {error && !read && !fetching && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {user && !error && !read && <Skeleton h={320} />}
      {user && read && <Body key={user} user={user} read={read} reload={reload} />}
    </Drawer>
  );
}

function Body({ user, read, reload }: { user: string; read: Standing; reload: () => void }) {
  const { permissions } = useSession().viewer;
  const writes = permissions.includes('plan.membership.write');
  const { membership, entitlements } = useStanding(read, user);
  const { plans, features } = usePlanNames();
  return (
    <Stack data-testid="membership">
      <Panel title={membership.chosen.name} hint={`Version ${membership.chosen.version}`}>
        <Stack gap="sm">
          <StatusFacts membership={membership} plans={none} />
          {writes && (
            <Group gap="xs">
              <HoldButtons membership={membership} plans={plans} reload={reload} />
            </Group>
          )}
        </Stack>
      </Panel>
      <UsagePanel entitlements={entitlements} features={features} />
      <FeaturesPanel entitlements={entitlements} features={features} />
      {(writes || membership.overrides.length > 0) && (
        <OverridesPanel membership={membership} entitlements={entitlements} features={features} writes={writes} reload={reload} />
      )}
      <LedgerPanel user={user} version={membership.version} {...(writes && { actions: (entry) => <Refund entry={entry} onDone={reload} /> })} />
      {permissions.includes('plan.clock.advance') && <DevelopmentPanel membership={membership} pays={writes} reload={reload} />}
    </Stack>
  );
}

/** Prices are those of versions that need not be on offer any more: the key of the price has to do. */
const none: [] = [];
