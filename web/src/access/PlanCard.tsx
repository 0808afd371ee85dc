import { Badge, Button, Group, List, Paper, Text } from '@mantine/core';

import { count, price } from '../format/number';
import { humanize } from '../format/text';
import { Icon } from '../ui/Icon';
import type { Plan } from './operations';

interface Props {
  plan: Plan;
  /** The plan the user is on; undefined when it is no longer in the catalogue. */
  current: Plan | undefined;
  moving: boolean;
  disabled: boolean;
  onMove: () => void;
}

/** A plan on offer. */
export function PlanCard({ plan, current, moving, disabled, onMove }: Props) {
  const mine = plan.id === current?.id;
  const up = !current || plan.rank > current.rank;
  return (
    <Paper
      withBorder
      p="md"
      data-testid={`plan-${plan.key}`}
      style={{
        display: 'flex',
        flexDirection: 'column',
        ...(mine && { borderColor: 'var(--mantine-primary-color-filled)' }),
      }}
    >
      <Group justify="space-between">
        <Text fw={600}>{plan.name}</Text>
        {mine && (
          <Badge variant="light" tt="none">
            Your plan
          </Badge>
        )}
      </Group>
      <Text fz="xl" fw={650} className="bb-numeric">
        {price(plan.price.amountMinor, plan.price.currency)}
        <Text span size="sm" c="dimmed" fw={400}>
          {' '}
          a month
        </Text>
      </Text>
      <List size="sm" spacing={4} my="sm" center icon={<Icon name="check" size={15} />} style={{ flex: 1 }}>
        {plan.limits.map(({ feature, limit }) => (
          <List.Item key={feature}>
            {limit === null ? 'Unlimited' : count(limit)} · {humanize(feature)}
          </List.Item>
        ))}
        {plan.limits.length === 0 && <Text c="dimmed">Nothing counted is included</Text>}
      </List>
      {!mine && (
        <Button variant={up ? 'filled' : 'default'} loading={moving} disabled={disabled && !moving} onClick={onMove}>
          {up ? `Move up to ${plan.name}` : `Move to ${plan.name}`}
        </Button>
      )}
    </Paper>
  );
}
