import { Skeleton, Stack, Text, Title } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { MyRolesPanel } from '../roles/ActiveRole';
import { ProblemNote } from '../ui/ProblemNote';
import classes from './AccessPage.module.css';
import { ACCESS } from './operations';
import { PermissionsPanel } from './PermissionsPanel';
import { PlanPanel } from './PlanPanel';
import { RolesPanel } from './RolesPanel';

export default function AccessPage() {
  const [{ data, error }, again] = useQuery({ query: ACCESS, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  return (
    <Stack>
      <div>
        <Title order={1} fz="h2">
          Access
        </Title>
        <Text size="sm" c="dimmed">
          What your plan and your roles let you do, as the server decides it right now.
        </Text>
      </div>
      {error && !data?.me && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={260} />}
      {data?.me && (
        <>
          <PlanPanel me={data.me} plans={data.plans} reload={reload} />
          <div className={classes.columns}>
            <div>
              <MyRolesPanel />
              <RolesPanel />
            </div>
            <PermissionsPanel catalogue={data.permissions} held={data.me.permissions} />
          </div>
        </>
      )}
    </Stack>
  );
}
