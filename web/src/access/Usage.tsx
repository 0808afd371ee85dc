import { Group, Progress, Text } from '@mantine/core';

import { count } from '../format/number';
import { humanize } from '../format/text';
import type { Me } from './operations';

/** How much of a feature is used. */
export function Usage({ entitlement }: { entitlement: Me['entitlements'][number] }) {
  const { feature, limit, used, remaining } = entitlement;
  const name = humanize(feature);
  const percent = limit === null ? 0 : limit === 0 ? 100 : Math.min((used / limit) * 100, 100);
  return (
    <div data-testid={`usage-${feature}`}>
      <Group justify="space-between" gap="xs" mb={6}>
        <Text size="sm" fw={500}>
          {name}
        </Text>
        <Text size="sm" c="dimmed" className="bb-numeric">
          {limit === null ? `${count(used)} used, no limit` : `${count(used)} of ${count(limit)}`}
        </Text>
      </Group>
      <Progress
        value={percent}
        color={remaining === 0 ? 'red' : percent >= 80 ? 'yellow' : undefined}
        aria-label={name}
        radius="xl"
      />
      {remaining === 0 && (
        <Text size="xs" c="red" mt={4}>
          All used: a higher plan allows more.
        </Text>
      )}
    </div>
  );
}
