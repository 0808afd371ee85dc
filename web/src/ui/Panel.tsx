import { Box, Group, Paper, type PaperProps, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props extends PaperProps {
  title: string;
  hint?: ReactNode;
  /** What stands at the right of the title. */
  aside?: ReactNode;
  children: ReactNode;
  'data-testid'?: string;
}

/** A titled part of a page. */
export function Panel({ title, hint, aside, children, ...props }: Props) {
  return (
    <Paper withBorder p="md" component="section" {...props}>
      <Group justify="space-between" align="flex-start" mb="sm" gap="xs" wrap="nowrap">
        <Box miw={0}>
          <Title order={2} fz="sm" fw={600}>
            {title}
          </Title>
          {hint && (
            <Text size="xs" c="dimmed">
              {hint}
            </Text>
          )}
        </Box>
        <Box flex="none">{aside}</Box>
      </Group>
      {children}
    </Paper>
  );
}
