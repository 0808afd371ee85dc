import { Stack, Text, ThemeIcon } from '@mantine/core';
import type { ReactNode } from 'react';

import { Icon, type IconName } from './Icon';

interface Props {
  title: string;
  icon?: IconName;
  /** What fills the emptiness. */
  children?: ReactNode;
}

/** Stands where there is nothing to show, and says why. */
export function Empty({ title, icon = 'empty', children }: Props) {
  return (
    <Stack align="center" gap={6} py="xl" px="md" ta="center">
      <ThemeIcon variant="light" color="gray" size={44} radius="xl">
        <Icon name={icon} size={22} />
      </ThemeIcon>
      <Text fw={600} mt={4}>
        {title}
      </Text>
      {children && (
        <Text size="sm" c="dimmed" maw={420} component="div">
          {children}
        </Text>
      )}
    </Stack>
  );
}
