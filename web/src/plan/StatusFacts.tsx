import { Alert, Anchor, Badge, Group, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { sentence } from '../format/text';
import { date, dateTime } from '../format/time';
import { Icon } from '../ui/Icon';
import type { Membership, Plan } from './fragments';
import { balanceWords, nextWords, priceWords, statuses } from './words';

/** The state of a membership as a badge, and whether it is within what is allowed. */
function StatusBadges({ membership: m }: { membership: Membership }) {
  const { label, color } = statuses[m.status];
  return (
    <Group gap={6}>
      <Badge variant="light" size="lg" tt="none" data-testid="plan-current">
        {m.plan.name}
      </Badge>
      <Badge variant="light" size="lg" tt="none" color={color} data-testid="plan-status">
        {label}
      </Badge>
      {m.standing === 'OVER_QUOTA' && (
        <Badge variant="light" size="lg" tt="none" color="red" data-testid="plan-standing">
          Over the limit
        </Badge>
      )}
    </Group>
  );
}

/** All there is to know of a membership, in words. */
export function StatusFacts({ membership: m, plans }: { membership: Membership; plans: readonly Plan[] }) {
  const next = nextWords(m, date);
  const balance = balanceWords(m.balance);
  const paid = plans.find((p) => p.id === m.chosen.id)?.prices.find((p) => p.key === m.price);
  return (
    <Stack gap="xs">
      <StatusBadges membership={m} />
      <Stack gap={2}>
        {next && <Text size="sm">{next}</Text>}
        <Text size="sm" c="dimmed">
          This period goes from {date(m.periodStart)} to {date(m.periodEnd)}, reckoned in {m.timeZone}.
          {m.price && ` The price is ${paid ? priceWords(paid) : m.price}.`}
          {m.coupon && ` The coupon ${m.coupon} is good for the next period.`}
        </Text>
        {m.pending && (
          <Text size="sm" data-testid="plan-pending">
            {m.pending.plan.name} comes on {dateTime(m.pending.at)}.
          </Text>
        )}
        {balance && <Text size="sm">{balance}</Text>}
      </Stack>
      {m.pauseReason !== null && <Note>On hold: {sentence(m.pauseReason || 'no reason was given')}</Note>}
      {m.paymentProblem && <Note color="red">The last payment failed: {sentence(m.paymentProblem.replaceAll('_', ' '))} It is tried again.</Note>}
      {m.checkoutUrl && (
        <Note>
          A change waits for its payment.{' '}
          <Anchor href={m.checkoutUrl} size="sm">
            Go to the payment
          </Anchor>
        </Note>
      )}
      {isMoved(m.now) && <Note>The clock of this membership was moved: for it, it is {dateTime(m.now)}.</Note>}
    </Stack>
  );
}

/** Whether the clock of a membership is not the one on the wall: by more than what networks and clocks differ by. */
function isMoved(now: string): boolean {
  return Date.parse(now) - Date.now() > 3_600_000;
}

function Note({ children, color = 'yellow' }: { children: ReactNode; color?: string }) {
  return (
    <Alert color={color} variant="light" icon={<Icon name="alert" />} role="status" p="xs">
      <Text size="sm">{children}</Text>
    </Alert>
  );
}
