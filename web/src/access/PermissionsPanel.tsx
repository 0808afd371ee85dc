import { Checkbox, Code, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';

import { plural, sentence } from '../format/text';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { Panel } from '../ui/Panel';
import type { Permission } from './operations';

/** The permission catalogue, and which of it the user holds. */
export function PermissionsPanel({ catalogue, held }: { catalogue: Permission[]; held: string[] }) {
  const [all, setAll] = useState(false);
  const mine = new Set(held);
  const shown = catalogue.filter((p) => all || mine.has(p.key));
  return (
    <Panel
      title="My permissions"
      hint={`${plural(held.length, 'permission')} of ${catalogue.length}, by whatever role`}
      data-testid="panel-permissions"
      aside={<Checkbox size="xs" label="Show all" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} />}
    >
      {shown.length === 0 && <Empty title="You hold no permissions yet" icon="access" />}
      <Stack gap="sm">
        {shown.map((p) => {
          const has = mine.has(p.key);
          return (
            <Group key={p.key} gap="sm" wrap="nowrap" align="flex-start">
              <Text c={has ? 'teal' : 'dimmed'} aria-label={has ? 'Held' : 'Not held'} role="img" h={20} pt={2}>
                {has ? <Icon name="check" size={16} /> : <span style={{ width: 16, display: 'inline-block' }}>–</span>}
              </Text>
              <div style={{ minWidth: 0 }}>
                <Code style={{ overflowWrap: 'anywhere' }}>{p.key}</Code>
                <Text size="sm" c="dimmed">
                  {sentence(p.description)}
                </Text>
              </div>
            </Group>
          );
        })}
      </Stack>
    </Panel>
  );
}
