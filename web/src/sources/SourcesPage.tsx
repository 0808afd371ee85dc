import { Stack, Text, Title } from '@mantine/core';

import { useSession } from '../session/viewer';
import { NoAccess } from '../ui/NoAccess';
import { SourcesPanel } from './SourcesPanel';
import { TypesPanel } from './TypesPanel';

/** Where events come from, and what is known of them. */
export default function SourcesPage() {
  if (!useSession().viewer.permissions.includes('analytics.source.manage')) {
    return <NoAccess title="Sources are closed to you">Your roles do not let you manage where events come from.</NoAccess>;
  }
  return (
    <Stack data-testid="sources">
      <div>
        <Title order={1} fz="h2">
          Sources
        </Title>
        <Text size="sm" c="dimmed">
          Who outside may report events, and what is known of them.
        </Text>
      </div>
      <SourcesPanel />
      <TypesPanel />
    </Stack>
  );
}
