import { Button, Group, Menu, Select, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { href, navigate, useSearch } from '../app/router';
import { useSession } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { NoAccess } from '../ui/NoAccess';
import { ProblemNote } from '../ui/ProblemNote';
import { Board } from './Board';
import { NewDashboard } from './NewDashboard';
import { DASHBOARDS, FROM_TEMPLATE } from './operations';

const templates = [
  { value: 'FLIGHTS', label: 'Flights of the demo' },
  { value: 'PRODUCT', label: 'How this server does' },
] as const;

/** Kept reports side by side. */
export default function DashboardsPage() {
  const { permissions } = useSession().viewer;
  const reads = permissions.includes('registry.document.read');
  const search = useSearch();
  const [{ data, error }, again] = useQuery({ query: DASHBOARDS, pause: !reads, requestPolicy: 'cache-and-network' });
  const [making, setMaking] = useState(false);
  const template = useAct(FROM_TEMPLATE);
  if (!reads) return <NoAccess title="Dashboards are closed to you">Your roles do not let you read documents.</NoAccess>;
  if (error && !data) return <ProblemNote problem={problemOf(error)} onRetry={again} m="lg" />;
  if (!data) return <Skeleton h={420} mt="lg" />;
  const boards = data.documents.nodes;
  const open = search.get('open') ?? boards[0]?.id;
  const show = (id: string | null) => id && navigate(href('/dashboards', { open: id }));
  const fromTemplate = async (name: (typeof templates)[number]['value']) => {
    const answer = await template.run({ input: { template: name } });
    if (!answer) return;
    again({ requestPolicy: 'network-only' });
    show(answer.createDashboardFromTemplate.dashboard.id);
  };
  return (
    <Stack data-testid="dashboards">
      <Group justify="space-between" gap="sm">
        <div>
          <Title order={1} fz="h2">
            Dashboards
          </Title>
          <Text size="sm" c="dimmed">
            Saved reports side by side, all of them live over one socket.
          </Text>
        </div>
        <Group gap="xs">
          {boards.length > 0 && (
            <Select aria-label="Dashboard" allowDeselect={false} data={boards.map((b) => ({ value: b.id, label: b.label }))} value={open ?? null} onChange={show} />
          )}
          {permissions.includes('registry.document.create') && (
            <Menu position="bottom-end">
              <Menu.Target>
                <Button variant="default" loading={template.busy}>
                  New
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item onClick={() => setMaking(true)}>Empty dashboard</Menu.Item>
                {templates.map((t) => (
                  <Menu.Item key={t.value} onClick={() => void fromTemplate(t.value)}>
                    {t.label}
                  </Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
      </Group>
      {template.failure && <ProblemNote problem={template.failure} />}
      {open ? <Board key={open} id={open} /> : <Empty title="There are no dashboards yet">Begin with one of the templates, or an empty one.</Empty>}
      {making && (
        <NewDashboard
          onClose={() => setMaking(false)}
          onMade={(id) => {
            setMaking(false);
            again({ requestPolicy: 'network-only' });
            show(id);
          }}
        />
      )}
    </Stack>
  );
}
