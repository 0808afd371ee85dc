import { Badge, Button, Group, Stack, TagsInput, Text } from '@mantine/core';
import { useState } from 'react';

import { Panel } from '../ui/Panel';
import { Row, Rows } from '../ui/Rows';
import { HoldForm } from './HoldForm';
import type { Permission, Role, RoleEdge } from './operations';
import { suggestions } from './RoleForm';
import type { Idea } from './RolesPage';
import { Codes } from './TryChange';

interface Props {
  role: Role;
  roles: Role[];
  edges: RoleEdge[];
  catalogue: Permission[];
  writes: boolean;
  grants: boolean;
  onTry: (idea: Idea) => void;
}

/** One role: what it gives, what it includes, and the changes that can be tried. */
export function RolePanel({ role, roles, edges, catalogue, writes, grants, onTry }: Props) {
  const [editing, setEditing] = useState(false);
  const [including, setIncluding] = useState(false);
  const system = role.key === 'admin';
  const own = edges.filter((e) => e.member === role.id);
  return (
    <Panel
      title={role.name}
      hint={role.description || role.key}
      data-testid="role"
      aside={
        writes &&
        !system && (
          <Group gap={6}>
            <Button size="compact-sm" variant="default" onClick={() => setEditing(true)}>
              Edit permissions
            </Button>
            <Button
              size="compact-sm"
              color="red"
              variant="light"
              onClick={() => onTry({ title: `Delete the role ${role.name}`, change: { deleteRole: role.id } })}
            >
              Delete
            </Button>
          </Group>
        )
      }
    >
      <Stack gap="sm">
        {role.params.length > 0 && (
          <Labelled label="Parameters">
            <Codes of={role.params.map((p) => `${p.name}: ${p.type === 'ENUM' ? p.values.join(' | ') : p.type}`)} />
          </Labelled>
        )}
        {editing ? (
          <EditPermissions
            role={role}
            catalogue={catalogue}
            onCancel={() => setEditing(false)}
            onTry={(idea) => {
              setEditing(false);
              onTry(idea);
            }}
          />
        ) : (
          <Labelled label="Permissions of its own">
            <Codes of={role.permissions} />
          </Labelled>
        )}
        <Labelled label="All it gives">
          <Codes of={role.effectivePermissions} />
        </Labelled>
        <Labelled label="Includes">
          {own.length === 0 && <Text c="dimmed">–</Text>}
          <Rows label={`What ${role.name} includes`}>
            {own.map((e) => (
              <Row
                key={e.id}
                title={e.bindings ? `${e.role.key}(${e.bindings})` : e.role.key}
                detail={[!e.inherit && 'not inherited', !e.set && 'not to be activated', e.admin && 'admin'].filter(Boolean).join(', ')}
              >
                {grants && (
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-label={`Include ${e.role.key} no more`}
                    onClick={() => onTry({ title: `${role.name} without ${e.role.key}`, change: { revokeGrant: e.id } })}
                  >
                    Remove
                  </Button>
                )}
              </Row>
            ))}
          </Rows>
          {grants && !including && (
            <Button mt={6} size="compact-sm" variant="default" onClick={() => setIncluding(true)}>
              Include another role
            </Button>
          )}
          {including && (
            <HoldForm
              roles={roles.filter((r) => r.id !== role.id)}
              holder={role}
              onCancel={() => setIncluding(false)}
              onTry={(grantRole, name) => {
                setIncluding(false);
                onTry({ title: `${role.name} includes ${name}`, change: { grantRole: { ...grantRole, member: role.id } } });
              }}
            />
          )}
        </Labelled>
        {system && <Badge variant="default" tt="none">The server’s own: it stays as it is</Badge>}
      </Stack>
    </Panel>
  );
}

function Labelled({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div>
      <Text size="xs" c="dimmed" mb={4}>
        {label}
      </Text>
      {children}
    </div>
  );
}

interface EditProps {
  role: Role;
  catalogue: Permission[];
  onCancel: () => void;
  onTry: (idea: Idea) => void;
}

function EditPermissions({ role, catalogue, onCancel, onTry }: EditProps) {
  const [keys, setKeys] = useState(role.permissions);
  const add = keys.filter((k) => !role.permissions.includes(k));
  const remove = role.permissions.filter((k) => !keys.includes(k));
  return (
    <Stack gap="xs">
      <TagsInput label="Permissions" data={suggestions(catalogue, role.params)} value={keys} onChange={setKeys} splitChars={[' ']} />
      <Group gap={6}>
        <Button
          size="compact-sm"
          disabled={add.length + remove.length === 0}
          onClick={() => onTry({ title: `Change the role ${role.name}`, change: { updateRole: { role: role.id, add, remove } } })}
        >
          Try it
        </Button>
        <Button size="compact-sm" variant="default" onClick={onCancel}>
          Cancel
        </Button>
      </Group>
    </Stack>
  );
}
