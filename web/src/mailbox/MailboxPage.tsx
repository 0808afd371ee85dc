import { Button, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useEffect } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { SchemeToggle } from '../app/SchemeToggle';
import { Link } from '../app/router';
import { useVisit } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { Logo } from '../ui/Logo';
import { ProblemNote } from '../ui/ProblemNote';
import { MailCard } from './MailCard';
import classes from './MailboxPage.module.css';
import { MAILBOX } from './operations';

/** The mails of a server that sends none: for whoever develops with it, signed in or not. */
export default function MailboxPage() {
  const { viewer } = useVisit();
  const [{ data, error, fetching }, again] = useQuery({ query: MAILBOX, requestPolicy: 'network-only' });
  // Whoever comes back from another tab comes for what was mailed there.
  useEffect(() => {
    const look = () => again({ requestPolicy: 'network-only' });
    addEventListener('focus', look);
    return () => removeEventListener('focus', look);
  }, [again]);
  const failure = error && problemOf(error);
  const mails = data?.mailbox.nodes;
  return (
    <div className={classes.page}>
      <Group justify="space-between" mb="md" gap="sm">
        <Group gap="sm" wrap="nowrap">
          <Logo size={30} />
          <div>
            <Title order={1} fz="h3">
              Development mailbox
            </Title>
            <Text size="sm" c="dimmed">
              Nothing is sent from here: no mail server is configured.
            </Text>
          </div>
        </Group>
        <Group gap="xs">
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<Icon name="retry" size={14} />}
            loading={fetching}
            onClick={() => again({ requestPolicy: 'network-only' })}
          >
            Refresh
          </Button>
          <Button size="compact-sm" variant="default" component={Link} href="/">
            {viewer ? 'Dashboard' : 'Sign in'}
          </Button>
          <SchemeToggle />
        </Group>
      </Group>
      <main>
        {failure?.code === 'NOT_FOUND' && (
          <Empty title="There is no mailbox here" icon="mail">
            This server really sends its mails.
          </Empty>
        )}
        {failure && failure.code !== 'NOT_FOUND' && <ProblemNote problem={failure} onRetry={again} />}
        {!data && !error && <Loader type="dots" aria-label="Loading" />}
        {mails?.length === 0 && <Empty title="No mails yet" icon="mail" />}
        <Stack data-testid="mails">{mails?.map((mail, i) => <MailCard key={mail.id} mail={mail} open={i === 0} />)}</Stack>
      </main>
    </div>
  );
}
