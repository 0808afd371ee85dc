import { Button, Skeleton, Stack, Tabs, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, navigate, useSearch } from '../app/router';
import { useSession } from '../session/viewer';
import { Icon } from '../ui/Icon';
import { NoAccess } from '../ui/NoAccess';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Explain } from './Explain';
import { type PolicyChange, ROLE_GRAPH } from './operations';
import { PersonRights } from './PersonRights';
import { RoleForm } from './RoleForm';
import { RoleGraph } from './RoleGraph';
import { RolePanel } from './RolePanel';
import { TryChange } from './TryChange';

/** A change that somebody thinks about, and what to call it. */
export interface Idea {
  title: string;
  change: PolicyChange;
}

/** The roles as a graph, what somebody may do by them, and why. */
export default function RolesPage() {
  const { permissions } = useSession().viewer;
  const search = useSearch();
  const tab = search.get('tab') ?? 'graph';
  if (!permissions.includes('rbac.role.read')) {
    return <NoAccess title="Roles are closed to you">Your roles do not let you read how roles are made.</NoAccess>;
  }
  return (
    <Stack data-testid="roles">
      <div>
        <Title order={1} fz="h2">
          Roles
        </Title>
        <Text size="sm" c="dimmed">
          How roles include one another, what somebody may do by them, and why.
        </Text>
      </div>
      <Tabs value={tab} onChange={(next) => navigate(href('/roles', { tab: next }))} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="graph">Graph</Tabs.Tab>
          <Tabs.Tab value="person">Somebody’s rights</Tabs.Tab>
          <Tabs.Tab value="explain">Explain</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="graph">
          <GraphTab selected={search.get('role')} />
        </Tabs.Panel>
        <Tabs.Panel value="person">
          <PersonRights user={search.get('user')} />
        </Tabs.Panel>
        <Tabs.Panel value="explain">
          <Explain user={search.get('user')} permission={search.get('permission')} on={search.get('on')} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function GraphTab({ selected }: { selected: string | null }) {
  const { permissions } = useSession().viewer;
  const [{ data, error }, again] = useQuery({ query: ROLE_GRAPH, requestPolicy: 'cache-and-network' });
  const [idea, setIdea] = useState<Idea | null>(null);
  const [making, setMaking] = useState(false);
  const reload = () => again({ requestPolicy: 'network-only' });
  const saved = () => {
    setIdea(null);
    reload();
  };
  const role = data?.roles.nodes.find((r) => r.id === selected);
  const writes = permissions.includes('rbac.role.write');
  return (
    <Stack>
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={320} />}
      {data && (
        <Panel
          title="The graph"
          hint="An arrow leads from a role to what it includes; a dashed one only counts while the role is activated"
          aside={
            writes && (
              <Button size="compact-sm" variant="default" leftSection={<Icon name="plus" size={14} />} onClick={() => setMaking(true)}>
                New role
              </Button>
            )
          }
        >
          <RoleGraph
            roles={data.roles.nodes}
            edges={data.roleEdges}
            selected={role?.id ?? null}
            onSelect={(id) => navigate(href('/roles', { role: id }))}
          />
          {data.roles.pageInfo.hasNextPage && (
            <Text size="xs" c="dimmed" mt="xs">
              These are the first hundred roles by key.
            </Text>
          )}
        </Panel>
      )}
      {data && role && (
        <RolePanel
          key={role.id}
          role={role}
          roles={data.roles.nodes}
          edges={data.roleEdges}
          catalogue={data.permissions}
          writes={writes}
          grants={permissions.includes('rbac.grant.write')}
          onTry={setIdea}
        />
      )}
      {data && making && (
        <RoleForm
          catalogue={data.permissions}
          onClose={() => setMaking(false)}
          onTry={(next) => {
            setMaking(false);
            setIdea(next);
          }}
        />
      )}
      {idea && <TryChange {...idea} onClose={() => setIdea(null)} onSaved={saved} />}
    </Stack>
  );
}
