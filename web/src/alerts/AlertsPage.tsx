import { Stack, Text, Title } from '@mantine/core';

import { AlertsPanel } from './AlertsPanel';
import { SchedulesPanel } from './SchedulesPanel';

/** What the server looks at by itself, and what it sends. */
export default function AlertsPage() {
  return (
    <Stack data-testid="alerts">
      <div>
        <Title order={1} fz="h2">
          Alerts and schedules
        </Title>
        <Text size="sm" c="dimmed">
          What is watched for you, and what is sent by mail, with your rights.
        </Text>
      </div>
      <AlertsPanel />
      <SchedulesPanel />
    </Stack>
  );
}
