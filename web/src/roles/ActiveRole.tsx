import { Button, Code, Text } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { Banner } from '../app/Banner';
import { useSession, useVisit } from '../session/viewer';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { ACTIVATE_ROLE, MY_GRANTS, RESET_ROLE } from './operations';

/** Says which one role counts, for as long as it does; nothing otherwise. */
export function ActiveRoleBanner() {
  const { viewer, changed } = useVisit();
  const { run, busy, failure } = useAct(RESET_ROLE);
  const active = viewer?.activeRole;
  if (!active) return null;
  const reset = async () => {
    if (await run({})) changed();
  };
  return (
    <Banner
      kind="role"
      label="The active role"
      text={
        <>
          Only the role <strong>{active.role.name}</strong> {active.bindings && <Code>{active.bindings}</Code>} counts in this session.
          {failure && <ProblemNote problem={failure} mt={6} />}
        </>
      }
    >
      <Button size="compact-sm" variant="default" loading={busy} onClick={() => void reset()}>
        Use all my roles
      </Button>
    </Banner>
  );
}

/** The roles one holds, each to be used alone. */
export function MyRolesPanel() {
  const { viewer, changed } = useSession();
  const [{ data, error }] = useQuery({ query: MY_GRANTS, requestPolicy: 'cache-and-network' });
  const { run, busy, failure } = useAct(ACTIVATE_ROLE);
  const activate = async (role: string, bindings: string) => {
    const bound = bindings.split(',').flatMap((part) => {
      const [name, value] = part.split('=');
      return name && value ? [{ name, value }] : [];
    });
    if (await run({ input: { role, bindings: bound } })) changed();
  };
  const able = viewer.session !== null && viewer.impersonatedBy === null;
  return (
    <Panel title="My roles" hint="Use one alone to see and do no more than it allows, or to use one that is not inherited" data-testid="my-roles">
      {error && !data && <ProblemNote problem={problemOf(error)} />}
      {failure && <ProblemNote problem={failure} />}
      {data?.myGrants.length === 0 && <Text c="dimmed">None</Text>}
      <Rows label="My roles">
        {data?.myGrants.map((g) => (
          <Row key={g.id} title={g.role.name} detail={g.bindings}>
            {able && g.set && (
              <Button
                size="compact-xs"
                variant="default"
                disabled={busy}
                aria-label={`Use ${g.role.name} alone`}
                onClick={() => void activate(g.role.id, g.bindings)}
              >
                Use alone
              </Button>
            )}
          </Row>
        ))}
      </Rows>
    </Panel>
  );
}
