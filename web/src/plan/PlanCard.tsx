import { Badge, Button, Group, List, Paper, Text } from '@mantine/core';

import { plural } from '../format/text';
import { Icon } from '../ui/Icon';
import type { Plan, PlanFeature, Price } from './fragments';
import type { Stand } from './offer';
import { type Features, oftenWords, priceWords, ruleWords } from './words';

interface Props {
  plan: Plan;
  /** What it costs by the choice; undefined for nothing. */
  price: Price | undefined;
  stand: Stand;
  rules: PlanFeature[];
  features: Features;
  onChoose: () => void;
}

/** A plan on offer. */
export function PlanCard({ plan, price, stand, rules, features, onChoose }: Props) {
  const mine = stand === 'mine' || stand === 'other-price';
  const words = rules.flatMap((rule) => ruleWords(rule, features, price) ?? []);
  return (
    <Paper
      withBorder
      p="md"
      component="article"
      aria-label={plan.name}
      data-testid={`plan-${plan.key}`}
      style={{
        display: 'flex',
        flexDirection: 'column',
        ...(mine && { borderColor: 'var(--mantine-primary-color-filled)' }),
      }}
    >
      <Group justify="space-between" gap="xs">
        <Text fw={600}>{plan.name}</Text>
        {mine && <Tag>Your plan</Tag>}
        {stand === 'pending' && <Tag>Comes next</Tag>}
      </Group>
      {plan.description && (
        <Text size="sm" c="dimmed">
          {plan.description}
        </Text>
      )}
      <Text fz="lg" fw={650} mt={6} className="bb-numeric">
        {price ? priceWords(price) : 'Costs nothing'}
      </Text>
      {plan.trialDays > 0 && !mine && stand !== 'other-version' && (
        <Text size="xs" c="dimmed">
          {plural(plan.trialDays, 'day')} of trial, once
        </Text>
      )}
      {!plan.current && (
        <Text size="xs" c="dimmed">
          As you have taken it; it is no longer offered like this
        </Text>
      )}
      <List
        size="sm"
        spacing={4}
        my="sm"
        icon={<Icon name="check" size={15} />}
        style={{ flex: 1 }}
        styles={{ itemWrapper: { alignItems: 'flex-start' }, itemIcon: { marginTop: 3 } }}
      >
        {words.map((text) => (
          <List.Item key={text}>{text}</List.Item>
        ))}
        {words.length === 0 && <Text c="dimmed">Nothing counted is included</Text>}
      </List>
      {stand !== 'mine' && stand !== 'pending' && !plan.closed && (
        <Button variant={stand === 'up' ? 'filled' : 'default'} onClick={onChoose}>
          {chooseWords(stand, plan.name, price)}
        </Button>
      )}
    </Paper>
  );
}

function chooseWords(stand: Stand, name: string, price: Price | undefined): string {
  if (stand === 'other-price') return price ? `Pay ${oftenWords(price.every).toLowerCase()}` : 'Stop paying';
  if (stand === 'other-version') return 'Take the new version';
  return stand === 'up' ? `Move up to ${name}` : `Move to ${name}`;
}

function Tag({ children }: { children: string }) {
  return (
    <Badge variant="light" tt="none">
      {children}
    </Badge>
  );
}
