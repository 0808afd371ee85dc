import { Text } from '@mantine/core';

import type { Problem } from '../api/problem';

/** Where in the schema or the data a problem lies, if the server says so. */
export function Pointer({ problem }: { problem: Problem }) {
  const { pointer } = problem.details;
  if (typeof pointer !== 'string' || !pointer) return null;
  return (
    <Text size="sm">
      Look at <code>{pointer}</code>.
    </Text>
  );
}
