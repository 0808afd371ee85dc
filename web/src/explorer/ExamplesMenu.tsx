import { ActionIcon, Menu } from '@mantine/core';
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';

import { Icon } from '../ui/Icon';
import { type Example, examples } from './examples';

/** Opens an example in a tab of its own. */
export function ExamplesMenu() {
  const { addTab } = useGraphiQLActions();
  const queryEditor = useGraphiQL((s) => s.queryEditor);
  const variableEditor = useGraphiQL((s) => s.variableEditor);
  const open = ({ query, variables }: Example) => {
    addTab();
    queryEditor?.setValue(query);
    variableEditor?.setValue(variables ?? '');
  };
  return (
    <Menu position="left-start" withinPortal width={340}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={36} aria-label="Examples" title="Examples">
          <Icon name="documents" size={20} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown mah="70dvh" style={{ overflowY: 'auto' }} data-testid="examples">
        {examples.map((of) => [
          <Menu.Label key={of.system}>{of.system}</Menu.Label>,
          ...of.examples.map((example) => (
            <Menu.Item key={example.title} onClick={() => open(example)}>
              {example.title}
            </Menu.Item>
          )),
        ])}
      </Menu.Dropdown>
    </Menu>
  );
}
