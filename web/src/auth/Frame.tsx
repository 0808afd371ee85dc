import { Group, Paper, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useId } from 'react';

import { SchemeToggle } from '../app/SchemeToggle';
import { Logo } from '../ui/Logo';
import classes from './Frame.module.css';

interface Props {
  title: string;
  lead?: ReactNode;
  /** What stands below the card. */
  foot?: ReactNode;
  children: ReactNode;
  'data-testid'?: string;
}

/** The card that every page outside the console's shell is: one thing to do, and the name of the product above it. */
export function Frame({ title, lead, foot, children, 'data-testid': testId }: Props) {
  const id = useId();
  return (
    <div className={classes.page}>
      <Group className={classes.corner}>
        <SchemeToggle />
      </Group>
      <main className={classes.column}>
        <Group gap="sm" mb="lg" justify="center">
          <Logo size={36} />
          <Text fw={650} fz="xl">
            Backend Book
          </Text>
        </Group>
        <Paper p="xl" withBorder shadow="sm" component="section" aria-labelledby={id} data-testid={testId}>
          <Stack>
            <div>
              <Title order={1} fz="h3" id={id}>
                {title}
              </Title>
              {lead && (
                <Text c="dimmed" size="sm" component="div" style={{ overflowWrap: 'anywhere' }}>
                  {lead}
                </Text>
              )}
            </div>
            {children}
          </Stack>
        </Paper>
        {foot && (
          <Text ta="center" size="sm" mt="md" c="dimmed" component="div">
            {foot}
          </Text>
        )}
      </main>
    </div>
  );
}
