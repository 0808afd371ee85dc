import { Accordion, Badge, Code, Group, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { plural } from '../format/text';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { type Role, ROLES } from './operations';

/** The role graph: what each role names itself, what it includes, and what that comes to. */
export function RolesPanel() {
  const [{ data, error, fetching }, again] = useQuery({ query: ROLES, requestPolicy: 'cache-and-network' });
  const failure = error && problemOf(error);
  const roles = data?.roles.nodes ?? [];
  return (
    <Panel title="Roles" hint="A role may include others; their permissions add up" data-testid="panel-roles">
      {failure?.code === 'FORBIDDEN' && (
        <Empty title="Roles are not shown to you" icon="access">
          You may see what you can do, but not how roles are made. That takes the permission <Code>rbac.role.read</Code>.
        </Empty>
      )}
      {failure && failure.code !== 'FORBIDDEN' && <ProblemNote problem={failure} onRetry={again} />}
      {fetching && !data && <Skeleton h={220} />}
      {data && roles.length === 0 && <Empty title="There are no roles yet" icon="access" />}
      {roles.length > 0 && (
        <Accordion variant="separated" chevronPosition="right">
          {roles.map((role) => (
            <RoleItem key={role.id} role={role} />
          ))}
        </Accordion>
      )}
    </Panel>
  );
}

function RoleItem({ role }: { role: Role }) {
  const isOwn = (key: string) => role.permissions.includes(key) || role.permissions.includes('*');
  return (
    <Accordion.Item value={role.id}>
      <Accordion.Control>
        <Group gap="xs" justify="space-between" wrap="nowrap" pr="sm">
          <div style={{ minWidth: 0 }}>
            <Text fw={600} size="sm">
              {role.name}
            </Text>
            <Text size="xs" c="dimmed" truncate>
              {role.description || role.key}
            </Text>
          </div>
          <Badge variant="default" tt="none" style={{ flex: 'none' }}>
            {plural(role.effectivePermissions.length, 'permission')}
          </Badge>
        </Group>
      </Accordion.Control>
      <Accordion.Panel>
        <Stack gap="sm">
          {role.includes.length > 0 && (
            <Group gap={6}>
              <Text size="xs" c="dimmed">
                Includes
              </Text>
              {role.includes.map((r) => (
                <Badge key={r.id} variant="outline" size="sm" tt="none">
                  {r.name}
                </Badge>
              ))}
            </Group>
          )}
          <Group gap={6}>
            {role.effectivePermissions.map((key) => (
              <Code key={key} c={isOwn(key) ? undefined : 'dimmed'} title={isOwn(key) ? 'Its own' : 'Through a role it includes'}>
                {key}
              </Code>
            ))}
            {role.effectivePermissions.length === 0 && (
              <Text size="sm" c="dimmed">
                No permissions
              </Text>
            )}
          </Group>
        </Stack>
      </Accordion.Panel>
    </Accordion.Item>
  );
}
