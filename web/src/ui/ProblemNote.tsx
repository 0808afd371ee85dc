import { Alert, type AlertProps, Anchor, Button, Code, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import type { Problem } from '../api/problem';
import { Link, usePath } from '../app/router';
import { Icon } from './Icon';

interface Props extends AlertProps {
  problem: Problem;
  onRetry?: (() => void) | undefined;
  /** Called when the person goes where the problem can be solved: what stands in front of the page has to go. */
  onLeave?: () => void;
  /** What the person may do about it. */
  children?: ReactNode;
}

/** Says what went wrong, in plain words, with what a report to the operator needs. */
export function ProblemNote({ problem, onRetry, onLeave, children, ...props }: Props) {
  const path = usePath();
  return (
    <Alert color="red" variant="light" icon={<Icon name="alert" />} role="alert" data-code={problem.code} {...props}>
      <Stack gap={6} align="flex-start">
        <Text size="sm">{problem.text}</Text>
        {children}
        {problem.code === 'FACTOR_NEEDED' && path !== '/security' && (
          <Anchor component={Link} href="/security" size="sm" onClick={onLeave}>
            Add one under Security
          </Anchor>
        )}
        {problem.requestId && problem.code === 'INTERNAL' && (
          <Text size="xs" c="dimmed">
            Request <Code>{problem.requestId}</Code>
          </Text>
        )}
        {onRetry && (
          <Button size="compact-sm" variant="default" leftSection={<Icon name="retry" size={14} />} onClick={onRetry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}
