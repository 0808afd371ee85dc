import { NavLink, Paper, Text } from '@mantine/core';

import { href, Link } from '../app/router';
import { Icon } from '../ui/Icon';
import type { ContentType } from './operations';

/** The content types, as the way to their documents. A small screen has a select instead. */
export function TypeList({ types, current }: { types: ContentType[]; current: string }) {
  return (
    <Paper withBorder p="xs" component="nav" aria-label="Content types" visibleFrom="sm">
      <Text size="xs" c="dimmed" fw={500} px="xs" py={4}>
        Content types
      </Text>
      {types.map((t) => (
        <NavLink
          key={t.id}
          component={Link}
          href={href('/documents', { type: t.key })}
          label={t.name}
          leftSection={<Icon name="documents" size={16} />}
          active={t.key === current}
          style={{ borderRadius: 'var(--mantine-radius-sm)' }}
        />
      ))}
    </Paper>
  );
}
