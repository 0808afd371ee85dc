import { Group, NumberInput, Select, TagsInput } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { useAct } from '../api/useAct';
import { useSession } from '../session/viewer';
import { FormDialog } from '../ui/FormDialog';
import { type Alert, CREATE_ALERT, SENDABLE } from './operations';

const conditions: { value: Alert['condition']; label: string }[] = [
  { value: 'ABOVE', label: 'It is above' },
  { value: 'BELOW', label: 'It is below' },
  { value: 'ABSENT', label: 'There is no event' },
];

/** Has a saved report watched. */
export function AlertForm({ onClose }: { onClose: () => void }) {
  const { user } = useSession().viewer;
  const [{ data }] = useQuery({ query: SENDABLE, requestPolicy: 'cache-and-network' });
  const [report, setReport] = useState<string | null>(null);
  const [condition, setCondition] = useState<Alert['condition']>('ABOVE');
  const [threshold, setThreshold] = useState<number | string>(0);
  const [recover, setRecover] = useState<number | string>('');
  const [looks, setLooks] = useState<number | string>(1);
  const [recipients, setRecipients] = useState(user.email ? [user.email] : []);
  const { run, busy, failure } = useAct(CREATE_ALERT);
  const absent = condition === 'ABSENT';
  // What does not go on by itself cannot be watched.
  const live = (data?.reports.nodes ?? []).filter((d) => 'last' in ((d.data as { query?: object }).query ?? {}));
  const make = async () => {
    if (!report) return;
    const level = absent ? {} : { threshold: Number(threshold), recover: recover === '' ? null : Number(recover) };
    if (await run({ input: { report, condition, ...level, for: Number(looks), recipients } })) onClose();
  };
  return (
    <FormDialog title="New alert" submit="Watch it" busy={busy} failure={failure} onSubmit={() => void make()} onClose={onClose} data-testid="alert-form">
      <Select
        label="Saved report"
        placeholder="Choose one of the last minutes, hours or days"
        searchable
        required
        withAsterisk={false}
        nothingFoundMessage="None is saved"
        data={live.map((d) => ({ value: d.id, label: d.label }))}
        value={report}
        onChange={setReport}
      />
      <Group grow align="flex-end">
        <Select label="Tell when" allowDeselect={false} data={conditions} value={condition} onChange={(v) => v && setCondition(v as Alert['condition'])} />
        {!absent && <NumberInput label="This" name="threshold" required withAsterisk={false} value={threshold} onChange={setThreshold} />}
      </Group>
      <Group grow align="flex-end">
        {!absent && <NumberInput label="Over when back at" placeholder="The same" value={recover} onChange={setRecover} />}
        <NumberInput label="Looks in a row" min={1} max={100} allowDecimal={false} required withAsterisk={false} value={looks} onChange={setLooks} />
      </Group>
      <TagsInput label="Who is told" description="Mail addresses of users, each with Enter" acceptValueOnBlur maxTags={20} value={recipients} onChange={setRecipients} />
    </FormDialog>
  );
}
