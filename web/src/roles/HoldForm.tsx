import { Button, Group, Select, Stack, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';

import type { GrantInput, Role } from './operations';

/** A grant but for its member. */
type Hold = Omit<GrantInput, 'member'>;

interface Props {
  roles: Role[];
  /** The role that is to include another; null when it is a person who is to hold one. */
  holder: Role | null;
  onCancel: () => void;
  onTry: (grant: Hold, name: string) => void;
}

/** Which role is to be held, and how. */
export function HoldForm({ roles, holder, onCancel, onTry }: Props) {
  const [id, setId] = useState<string | null>(null);
  const [values, setValues] = useState<Record<string, string>>({});
  const [inherit, setInherit] = useState(true);
  const [set, setSet] = useState(true);
  const [admin, setAdmin] = useState(false);
  const role = roles.find((r) => r.id === id);
  const hint = holder?.params.length ? `A value, * for any, or ${holder.params.map((p) => `$${p.name}`).join(', ')}` : 'A value, or * for any';
  const bindings = role?.params.map((p) => ({ name: p.name, value: values[p.name] ?? '*' })) ?? [];
  return (
    <Stack gap="xs" mt="xs" data-testid="hold">
      <Select
        label="Role"
        searchable
        data={roles.map((r) => ({ value: r.id, label: r.name }))}
        value={id}
        onChange={setId}
        comboboxProps={{ withinPortal: true }}
      />
      {role?.params.map((p) => (
        <TextInput
          key={p.name}
          label={p.name}
          description={p.type === 'ENUM' ? p.values.join(', ') : hint}
          value={values[p.name] ?? '*'}
          onChange={(e) => setValues({ ...values, [p.name]: e.currentTarget.value })}
        />
      ))}
      <Group gap="md">
        <Switch label="Inherited at once" checked={inherit} onChange={(e) => setInherit(e.currentTarget.checked)} />
        <Switch label="Can be activated" checked={set} onChange={(e) => setSet(e.currentTarget.checked)} />
        <Switch label="May let others hold it" checked={admin} onChange={(e) => setAdmin(e.currentTarget.checked)} />
      </Group>
      <Group gap={6}>
        <Button size="compact-sm" disabled={!role} onClick={() => role && onTry({ role: role.id, bindings, inherit, set, admin, reason: '' }, role.name)}>
          Try it
        </Button>
        <Button size="compact-sm" variant="default" onClick={onCancel}>
          Cancel
        </Button>
      </Group>
    </Stack>
  );
}
