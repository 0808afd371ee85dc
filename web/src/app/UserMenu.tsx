import { Avatar, Menu, Text, UnstyledButton } from '@mantine/core';
import { useMutation } from 'urql';

import { initials } from '../format/text';
import { SIGN_OUT } from '../session/operations';
import { useSession } from '../session/viewer';
import { Icon } from '../ui/Icon';
import { Link } from './router';

/** Who is signed in, the way to their settings, and the way out. */
export function UserMenu() {
  const { viewer, settings, changed } = useSession();
  const [, signOut] = useMutation(SIGN_OUT);
  const { name, email, kind } = viewer.user;
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton aria-label={`Signed in as ${name}`} data-testid="user">
          <Avatar color="lagoon" radius="xl" size={34}>
            {initials(name)}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={600} c="bright" truncate>
            {name}
          </Text>
          <Text size="xs" truncate>
            {kind === 'ANONYMOUS' ? 'Guest' : email}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} href="/security" leftSection={<Icon name="security" size={16} />}>
          Security
        </Menu.Item>
        {settings.mailbox && (
          <Menu.Item component={Link} href="/mailbox" leftSection={<Icon name="mail" size={16} />}>
            Mailbox
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<Icon name="out" size={16} />}
          data-testid="sign-out"
          // Whether or not there was a session left to end, this page must forget what it knows.
          onClick={() => void signOut({}).then(() => changed())}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
