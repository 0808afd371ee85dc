import { Button, Center, Group, Paper, Stack, Text, Title } from '@mantine/core';

import { useAct } from '../api/useAct';
import { Link, navigate, usePath } from '../app/router';
import { useSession } from '../session/viewer';
import { ProblemNote } from '../ui/ProblemNote';
import { paymentKey } from './key';
import { COMPLETE_PAYMENT } from './operations';

/** The checkout of the provider that moves no money: in development, one plays the payer here. */
export default function PayPage() {
  const key = paymentKey(usePath());
  const { recheck } = useSession();
  const { run, busy, failure } = useAct(COMPLETE_PAYMENT);
  const answer = async (pay: boolean) => {
    if (!(await run({ input: { key, pay } }))) return;
    // The plan that is paid may give a role.
    recheck();
    navigate('/plan');
  };
  return (
    <Center mih="60dvh">
      <Paper withBorder p="lg" maw={440} data-testid="pay">
        <Stack>
          <Title order={1} fz="h3">
            Test payment
          </Title>
          <Text size="sm">
            This server takes no money: it plays a payment provider, so that you can see what happens when somebody pays, or does not.
          </Text>
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            Payment {key}
          </Text>
          {failure && <ProblemNote problem={failure} />}
          <Group>
            <Button loading={busy} onClick={() => void answer(true)}>
              Pay
            </Button>
            <Button variant="default" disabled={busy} onClick={() => void answer(false)}>
              Refuse
            </Button>
            <Button variant="subtle" component={Link} href="/plan" ml="auto">
              Back to your plan
            </Button>
          </Group>
        </Stack>
      </Paper>
    </Center>
  );
}
