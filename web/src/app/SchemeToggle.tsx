import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';

import { Icon } from '../ui/Icon';

/** Switches between light and dark. Until the first switch the console follows the system. */
export function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme('light') === 'dark' ? 'light' : 'dark';
  const label = `Switch to ${other}`;
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        data-testid="scheme"
        onClick={() => setColorScheme(other)}
      >
        <Icon name={other === 'light' ? 'sun' : 'moon'} />
      </ActionIcon>
    </Tooltip>
  );
}
