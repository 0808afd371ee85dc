import { Button, Group, Select, Skeleton, Stack } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, navigate } from '../app/router';
import { date } from '../format/time';
import { statuses } from '../plan/words';
import { PickPerson } from '../roles/PickPerson';
import { useSession } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { MemberDrawer } from './MemberDrawer';
import { type MemberRow, MEMBERSHIPS } from './operations';
import { useNames } from './useNames';
import { usePlanNames } from './usePlanNames';

const pageSize = 20;
const listed = { additionalTypenames: ['Membership'] };

/** Who is on which plan. The filter and who is looked at are in the address. */
export function MembersTab({ plan, user }: { plan: string | null; user: string | null }) {
  const { permissions } = useSession().viewer;
  const { plans } = usePlanNames();
  const show = (next: { plan?: string | null; user?: string | null }) =>
    navigate(href('/plans', { tab: 'members', plan, user, ...next }));
  return (
    <Stack>
      <Group align="flex-end" grow preventGrowOverflow={false}>
        <Select
          label="Plan"
          placeholder="Any"
          clearable
          searchable
          data={plans.map((p) => ({ value: p.key, label: p.name }))}
          value={plan}
          onChange={(key) => show({ plan: key })}
        />
        <PickPerson value={user} onChange={(id) => show({ user: id })} />
      </Group>
      {permissions.includes('plan.membership.read') && <List key={plan ?? ''} plan={plan} onOpen={(id) => show({ user: id })} />}
      <MemberDrawer user={user} onClose={() => show({ user: null })} />
    </Stack>
  );
}

function List({ plan, onOpen }: { plan: string | null; onOpen: (user: string) => void }) {
  const [page, setPage] = useState<{ after?: string; before?: string }>({});
  const [{ data, error }, again] = useQuery({
    query: MEMBERSHIPS,
    variables: page.before ? { plan, last: pageSize, before: page.before } : { plan, first: pageSize, after: page.after ?? null },
    requestPolicy: 'cache-and-network',
    context: listed,
  });
  const nodes = data?.memberships.nodes ?? [];
  const info = data?.memberships.pageInfo;
  const names = useNames(nodes.map((m) => m.subject));
  return (
    <Panel title="Memberships" hint="Who has chosen a plan, the newest first; everybody else is on the default one" data-testid="members">
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={again} />}
      {!error && !data && <Skeleton h={200} />}
      {data && nodes.length === 0 && <Empty title="Nobody is on it" icon="people" />}
      <Rows label="Memberships">
        {nodes.map((m) => (
          <Row key={m.id} title={names.get(m.subject) ?? m.subject} detail={rowWords(m)} data-testid="member">
            <Button size="compact-sm" variant="default" aria-label={`Open ${names.get(m.subject) ?? m.subject}`} onClick={() => onOpen(m.subject)}>
              Open
            </Button>
          </Row>
        ))}
      </Rows>
      {(info?.hasPreviousPage || info?.hasNextPage) && (
        <Group justify="flex-end" gap="xs" mt="sm">
          <Button
            size="xs"
            variant="default"
            leftSection={<Icon name="back" size={14} />}
            disabled={!info.hasPreviousPage}
            onClick={() => setPage({ before: info.startCursor ?? '' })}
          >
            Newer
          </Button>
          <Button
            size="xs"
            variant="default"
            rightSection={<Icon name="forward" size={14} />}
            disabled={!info.hasNextPage}
            onClick={() => setPage({ after: info.endCursor ?? '' })}
          >
            Older
          </Button>
        </Group>
      )}
    </Panel>
  );
}

function rowWords(m: MemberRow): string {
  return [
    `${m.chosen.name}, version ${m.chosen.version}`,
    m.chosen.id !== m.plan.id && `${m.plan.name} applies`,
    m.price,
    statuses[m.status].label,
    m.standing === 'OVER_QUOTA' && 'over the limit',
    `since ${date(m.since)}`,
  ]
    .filter(Boolean)
    .join(' · ');
}
