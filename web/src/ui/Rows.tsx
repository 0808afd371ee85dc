import { Box, Group, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import classes from './Rows.module.css';

/** Things of one kind, one below the other. */
export function Rows({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ul className={classes.list} aria-label={label}>
      {children}
    </ul>
  );
}

interface RowProps {
  title: ReactNode;
  /** What else there is to know, smaller. */
  detail?: ReactNode;
  /** What can be done with it. */
  children?: ReactNode;
  'data-testid'?: string;
}

export function Row({ title, detail, children, ...props }: RowProps) {
  return (
    <li className={classes.row} {...props}>
      <Box className={classes.text}>
        <Text size="sm" fw={500} component="div" style={{ overflowWrap: 'anywhere' }}>
          {title}
        </Text>
        {detail && (
          <Text size="xs" c="dimmed" component="div" style={{ overflowWrap: 'anywhere' }}>
            {detail}
          </Text>
        )}
      </Box>
      {children && <Group gap={6}>{children}</Group>}
    </li>
  );
}
