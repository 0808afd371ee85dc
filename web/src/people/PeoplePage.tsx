import { Stack, Text, Title } from '@mantine/core';

import { useSession } from '../session/viewer';
import { NoAccess } from '../ui/NoAccess';
import { InvitationsPanel } from './InvitationsPanel';
import { ServicesPanel } from './ServicesPanel';
import { UsersPanel } from './UsersPanel';

/** Who has an account, who is asked to have one, and the accounts of programs: each to who may manage it. */
export default function PeoplePage() {
  const { permissions } = useSession().viewer;
  const may = (key: string) => permissions.includes(key);
  if (!['account.user.read', 'account.user.invite', 'account.service.write'].some(may)) {
    return <NoAccess title="People are closed to you">Your roles do not let you manage other people’s accounts.</NoAccess>;
  }
  return (
    <Stack data-testid="people">
      <div>
        <Title order={1} fz="h2">
          People
        </Title>
        <Text size="sm" c="dimmed">
          Who has an account here, who is invited, and the programs that have one.
        </Text>
      </div>
      {may('account.user.read') && <UsersPanel writable={may('account.user.write')} acts={may('account.user.impersonate')} />}
      {may('account.user.invite') && <InvitationsPanel roles={may('rbac.role.read')} />}
      {may('account.service.write') && <ServicesPanel />}
    </Stack>
  );
}
