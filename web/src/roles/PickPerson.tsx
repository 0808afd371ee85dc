import { Select, TextInput } from '@mantine/core';
import { useQuery } from 'urql';

import { useSession } from '../session/viewer';
import { PEOPLE } from './operations';

/** Somebody, by name for who may read accounts, else by id. */
export function PickPerson({ value, onChange }: { value: string | null; onChange: (id: string | null) => void }) {
  const reads = useSession().viewer.permissions.includes('account.user.read');
  const [{ data }] = useQuery({ query: PEOPLE, pause: !reads });
  if (!reads) {
    return <TextInput label="Person" placeholder="user:…" value={value ?? ''} onChange={(e) => onChange(e.currentTarget.value || null)} />;
  }
  return (
    <Select
      label="Person"
      searchable
      clearable
      data={data?.users.nodes.map((u) => ({ value: u.id, label: u.name })) ?? []}
      value={value}
      onChange={onChange}
    />
  );
}
