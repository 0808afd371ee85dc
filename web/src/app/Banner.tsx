import { Group, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { Icon } from '../ui/Icon';
import classes from './Banner.module.css';

interface Props {
  kind: 'impersonation' | 'expiry' | 'role';
  label: string;
  text: ReactNode;
  /** What can be done about it. */
  children?: ReactNode;
}

/** A strip above every page, for what must not be overlooked. It is read out when it appears. */
export function Banner({ kind, label, text, children }: Props) {
  return (
    <section className={classes.banner} aria-label={label} data-kind={kind} data-testid={kind}>
      <Group gap="sm" justify="space-between" className={classes.inner}>
        <Group gap="xs" wrap="nowrap" miw={0} flex="1 1 260px">
          <Icon name={kind === 'expiry' ? 'alert' : kind === 'role' ? 'access' : 'people'} />
          <Text size="sm" component="div" role="status" style={{ overflowWrap: 'anywhere' }}>
            {text}
          </Text>
        </Group>
        <Group gap="xs">{children}</Group>
      </Group>
    </section>
  );
}
