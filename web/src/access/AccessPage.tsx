import { Anchor, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { Link } from '../app/router';
import { MyRolesPanel } from '../roles/ActiveRole';
import { ProblemNote } from '../ui/ProblemNote';
import classes from './AccessPage.module.css';
import { ACCESS } from './operations';
import { PermissionsPanel } from './PermissionsPanel';
import { RolesPanel } from './RolesPanel';

// A plan may give a role.
const byPlan = { additionalTypenames: ['Membership'] };

export default function AccessPage() {
  const [{ data, error }, again] = useQuery({ query: ACCESS, requestPolicy: 'cache-and-network', context: byPlan });
  const reload = () => again({ requestPolicy: 'network-only' });
  return (
    <Stack data-testid="access">
      <div>
        <Title order={1} fz="h2">
          Access
        </Title>
        <Text size="sm" c="dimmed">
          What your roles let you do, as the server decides it right now. What you may use is a matter of your{' '}
          <Anchor component={Link} href="/plan" size="sm">
            plan
          </Anchor>
          , which may give a role, too.
        </Text>
      </div>
      {error && !data?.me && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={260} />}
      {data?.me && (
        <div className={classes.columns}>
          <div>
            <MyRolesPanel />
            <RolesPanel />
          </div>
          <PermissionsPanel catalogue={data.permissions} held={data.me.permissions} />
        </div>
      )}
    </Stack>
  );
}
