import { Alert, Anchor, Button, Group, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { useAct } from '../api/useAct';
import { ACCEPT_TERMS } from '../session/operations';
import { useSession } from '../session/viewer';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';
import { Link, usePath } from './router';

/** What an account still wants of its owner, above every page. */
export function AccountNotices() {
  const { viewer, settings } = useSession();
  const onSecurity = usePath() === '/security';
  // Nobody accepts in the place of another.
  const acted = viewer.impersonatedBy !== null;
  const guest = viewer.user.kind === 'ANONYMOUS';
  const terms = settings.termsVersion;
  return (
    <>
      {guest && !onSecurity && (
        <Notice>
          You are here as a guest.{' '}
          <Anchor component={Link} href="/register" size="sm">
            Keep your account
          </Anchor>
        </Notice>
      )}
      {viewer.factorRequired && !onSecurity && (
        <Notice>
          One of your roles wants a second factor.{' '}
          <Anchor component={Link} href="/security" size="sm">
            Add one
          </Anchor>
        </Notice>
      )}
      {terms && !guest && !acted && terms !== viewer.termsVersion && <Terms version={terms} />}
    </>
  );
}

function Terms({ version }: { version: string }) {
  const { recheck } = useSession();
  const { run, busy, failure } = useAct(ACCEPT_TERMS);
  const accept = async () => {
    if (await run({ input: { acceptTerms: version } })) recheck();
  };
  return (
    <Notice>
      <Stack gap="xs">
        <Group gap="sm">
          <Text size="sm">The terms of use have changed (version {version}).</Text>
          <Button size="compact-sm" variant="default" loading={busy} onClick={() => void accept()}>
            Accept
          </Button>
        </Group>
        {failure && <ProblemNote problem={failure} />}
      </Stack>
    </Notice>
  );
}

function Notice({ children }: { children: ReactNode }) {
  return (
    <div>
      <Alert color="yellow" variant="light" icon={<Icon name="alert" />} role="status">
        {children}
      </Alert>
    </div>
  );
}
