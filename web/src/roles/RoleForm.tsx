import { TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';

import { FormDialog } from '../ui/FormDialog';
import type { Permission, Role } from './operations';
import type { Idea } from './RolesPage';

interface Props {
  catalogue: Permission[];
  onClose: () => void;
  onTry: (idea: Idea) => void;
}

/** Makes up a role. */
export function RoleForm({ catalogue, onClose, onTry }: Props) {
  const [key, setKey] = useState('');
  const [name, setName] = useState('');
  const [params, setParams] = useState<string[]>([]);
  const [permissions, setPermissions] = useState<string[]>([]);
  const send = () =>
    onTry({
      title: `New role ${name}`,
      change: {
        createRole: { key, name, permissions, params: params.map((p) => ({ name: p, type: 'STRING' as const, values: [] })), description: '' },
      },
    });
  return (
    <FormDialog title="New role" submit="Try it" busy={false} failure={null} onSubmit={send} onClose={onClose} data-testid="new-role">
      <TextInput label="Name" name="name" required withAsterisk={false} maxLength={100} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
      <TextInput
        label="Key"
        name="key"
        description="2 to 64 of a-z, 0-9, dot, dash and underscore; it stays"
        required
        withAsterisk={false}
        pattern="[a-z0-9._\-]{2,64}"
        value={key}
        onChange={(e) => setKey(e.currentTarget.value)}
      />
      <TagsInput label="Parameters" description="Names, such as region; they stay" value={params} onChange={setParams} maxTags={4} splitChars={[' ', ',']} />
      <TagsInput
        label="Permissions"
        data={suggestions(catalogue, params.map((p) => ({ name: p, type: 'STRING', values: [] })))}
        value={permissions}
        onChange={setPermissions}
        splitChars={[' ']}
      />
    </FormDialog>
  );
}

/** Each permission as a role with these parameters can have it: bound to one of them, or to any value. */
export function suggestions(catalogue: Permission[], params: Role['params']): string[] {
  return catalogue.flatMap((p) => {
    if (p.params.length === 0) return [p.key];
    const bound = (value: (name: string) => string) => `${p.key}(${p.params.map((name) => `${name}=${value(name)}`).join(',')})`;
    const same = p.params.every((name) => params.some((own) => own.name === name));
    return same ? [bound((name) => `$${name}`), bound(() => '*')] : [bound(() => '*')];
  });
}
