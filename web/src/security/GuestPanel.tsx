import { Button, Text } from '@mantine/core';

import { Link } from '../app/router';
import { useSession } from '../session/viewer';
import { Panel } from '../ui/Panel';

/** What a guest sees in place of all that takes a registered account. */
export function GuestPanel() {
  const { settings } = useSession();
  const closed = settings.registration === 'CLOSED';
  return (
    <Panel title="Keep your account" hint="You are here as a guest" data-testid="panel-guest">
      <Text size="sm" mb="md">
        A guest has no password and no address: once this session ends, nobody can get in again. Register, and what you have made
        stays yours. Then you can add a second factor, passkeys, other providers and access keys.
      </Text>
      {closed ? (
        <Text size="sm" c="dimmed">
          No new accounts are made here at the moment.
        </Text>
      ) : (
        <Button component={Link} href="/register">
          Register
        </Button>
      )}
    </Panel>
  );
}
