import { Anchor, Button, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, Link, navigate } from '../app/router';
import { useSession } from '../session/viewer';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { HoldForm } from './HoldForm';
import { RIGHTS_OF, ROLE_GRAPH } from './operations';
import { PickPerson } from './PickPerson';
import type { Idea } from './RolesPage';
import { TryChange } from './TryChange';

/** What somebody holds, and all they may do by it. */
export function PersonRights({ user }: { user: string | null }) {
  const [{ data, error, fetching }, again] = useQuery({
    query: RIGHTS_OF,
    variables: { user: user ?? '' },
    pause: !user,
    requestPolicy: 'cache-and-network',
  });
  const [idea, setIdea] = useState<Idea | null>(null);
  return (
    <Stack>
      <PickPerson value={user} onChange={(id) => navigate(href('/roles', { tab: 'person', user: id }))} />
      {user && error && <ProblemNote problem={problemOf(error)} />}
      {user && fetching && !data && <Skeleton h={200} />}
      {user && data && (
        <>
          <Held user={user} grants={data.grants} onTry={setIdea} />
          <Panel title="Effective permissions" hint="By whatever role; each leads to why" data-testid="effective">
            {data.permissionsOf.length === 0 && <Text c="dimmed">None</Text>}
            <Rows label="Effective permissions">
              {data.permissionsOf.map((p) => (
                <Row
                  key={p}
                  title={
                    <Anchor component={Link} href={href('/roles', { tab: 'explain', user, permission: p })} size="sm">
                      {p}
                    </Anchor>
                  }
                />
              ))}
            </Rows>
          </Panel>
        </>
      )}
      {idea && (
        <TryChange
          {...idea}
          onClose={() => setIdea(null)}
          onSaved={() => {
            setIdea(null);
            again({ requestPolicy: 'network-only' });
          }}
        />
      )}
    </Stack>
  );
}

interface HeldProps {
  user: string;
  grants: {
    id: string;
    bindings: string;
    inherit: boolean;
    set: boolean;
    admin: boolean;
    source: string;
    expiresAt: string | null;
    reason: string;
    role: { key: string; name: string };
  }[];
  onTry: (idea: Idea) => void;
}

function Held({ user, grants, onTry }: HeldProps) {
  const writes = useSession().viewer.permissions.includes('rbac.grant.write');
  const [granting, setGranting] = useState(false);
  const [{ data }] = useQuery({ query: ROLE_GRAPH, pause: !granting });
  return (
    <Panel
      title="Roles held"
      data-testid="held"
      aside={
        writes &&
        !granting && (
          <Button size="compact-sm" variant="default" onClick={() => setGranting(true)}>
            Grant a role
          </Button>
        )
      }
    >
      <Rows label="Roles held">
        {grants.map((g) => (
          <Row
            key={g.id}
            title={g.bindings ? `${g.role.name} (${g.bindings})` : g.role.name}
            detail={[g.source, !g.inherit && 'not inherited', g.admin && 'admin', g.expiresAt && `until ${g.expiresAt}`, g.reason]
              .filter(Boolean)
              .join(' · ')}
          >
            {writes && (
              <Button
                size="compact-xs"
                variant="default"
                aria-label={`Take back ${g.role.name}`}
                onClick={() => onTry({ title: `Take back ${g.role.name}`, change: { revokeGrant: g.id } })}
              >
                Take back
              </Button>
            )}
          </Row>
        ))}
      </Rows>
      {granting && data && (
        <HoldForm
          roles={data.roles.nodes}
          holder={null}
          onCancel={() => setGranting(false)}
          onTry={(grantRole, name) => {
            setGranting(false);
            onTry({ title: `Grant ${name}`, change: { grantRole: { ...grantRole, member: user } } });
          }}
        />
      )}
    </Panel>
  );
}
