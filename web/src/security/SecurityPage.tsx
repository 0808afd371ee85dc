import { Skeleton, Stack, Text, Title } from '@mantine/core';
import { useReducer } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useSession } from '../session/viewer';
import { ProblemNote } from '../ui/ProblemNote';
import { ActivityPanel } from './ActivityPanel';
import { DevicesPanel } from './DevicesPanel';
import { EmailsPanel } from './EmailsPanel';
import { FactorsPanel } from './FactorsPanel';
import { GuestPanel } from './GuestPanel';
import { IdentitiesPanel } from './IdentitiesPanel';
import { KeysPanel } from './KeysPanel';
import { LeavePanel } from './LeavePanel';
import { LinkNote } from './LinkNote';
import { type Me, SECURITY, type Security } from './operations';
import { PasswordPanel } from './PasswordPanel';
import { ProfilePanel } from './ProfilePanel';
import classes from './SecurityPage.module.css';
import { SessionsPanel } from './SessionsPanel';
import { useOwn } from './useOwn';

/** How one gets in, and everything that belongs to the account. */
export default function SecurityPage() {
  const { recheck } = useSession();
  const [{ data, error }, again] = useQuery({ query: SECURITY, requestPolicy: 'cache-and-network' });
  const [changes, changed] = useReducer((n: number) => n + 1, 0);
  const reload = () => {
    again({ requestPolicy: 'network-only' });
    changed();
    // The shell shows a part of it, too.
    recheck();
  };
  const me = data?.me;
  return (
    <Stack data-testid="security">
      <div>
        <Title order={1} fz="h2">
          Security
        </Title>
        <Text size="sm" c="dimmed">
          Who you are here, how and where you get in, and what may act in your name.
        </Text>
      </div>
      <LinkNote />
      {error && !me && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={420} />}
      {data && me?.user.kind === 'ANONYMOUS' && <GuestPanel />}
      {data && me && me.user.kind !== 'ANONYMOUS' && <Panels data={data} me={me} changes={changes} reload={reload} />}
    </Stack>
  );
}

interface PanelsProps {
  data: Security;
  me: Me;
  /** Counts what the user has changed here. */
  changes: number;
  reload: () => void;
}

/** All there is for who has registered: as it was read, and what changes meanwhile as it happens. */
function Panels({ data, me, changes, reload }: PanelsProps) {
  const own = useOwn();
  return (
    <div className={classes.columns}>
      <Stack>
        <ProfilePanel key={`${me.user.name} ${me.user.username} ${me.locale}`} me={me} reload={reload} />
        <EmailsPanel emails={me.emails} reload={reload} />
        <PasswordPanel hasPassword={me.hasPassword} email={me.user.email} reload={reload} />
        <SessionsPanel sessions={own.sessions ?? data.mySessions.nodes} reload={reload} />
        <LeavePanel email={me.user.email} />
      </Stack>
      <Stack>
        <FactorsPanel factors={data.myFactors} wanted={me.factorRequired} reload={reload} />
        <IdentitiesPanel identities={data.myIdentities} reload={reload} />
        <KeysPanel />
        <DevicesPanel devices={data.myDevices} reload={reload} />
        {/* Each change is one more fact: it begins anew at the newest. */}
        <ActivityPanel key={changes} news={own.events} />
      </Stack>
    </div>
  );
}
