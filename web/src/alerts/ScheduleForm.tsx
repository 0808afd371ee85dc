import { Checkbox, Group, Select, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { useAct } from '../api/useAct';
import { ownZone, zones } from '../format/zone';
import { useSession } from '../session/viewer';
import { FormDialog } from '../ui/FormDialog';
import { CREATE_SCHEDULE, SENDABLE } from './operations';

/** Has a report or a dashboard sent. */
export function ScheduleForm({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const { user } = useSession().viewer;
  const [{ data }] = useQuery({ query: SENDABLE, requestPolicy: 'cache-and-network' });
  const [report, setReport] = useState<string | null>(null);
  const [cron, setCron] = useState('0 8 * * MON-FRI');
  const [zone, setZone] = useState(ownZone);
  const [csv, setCsv] = useState(false);
  const [recipients, setRecipients] = useState(user.email ? [user.email] : []);
  const { run, busy, failure } = useAct(CREATE_SCHEDULE);
  const entries = (nodes: { id: string; label: string }[] = []) => nodes.map((d) => ({ value: d.id, label: d.label }));
  const make = async () => {
    if (report && (await run({ input: { report, cron, timeZone: zone, recipients, format: csv ? 'HTML_CSV' : 'HTML' } }))) onMade();
  };
  return (
    <FormDialog title="New schedule" submit="Send it" busy={busy} failure={failure} onSubmit={() => void make()} onClose={onClose} data-testid="schedule-form">
      <Select
        label="What is sent"
        placeholder="A saved report or a dashboard"
        searchable
        required
        withAsterisk={false}
        nothingFoundMessage="None is saved"
        data={[
          { group: 'Dashboards', items: entries(data?.dashboards.nodes) },
          { group: 'Reports', items: entries(data?.reports.nodes) },
        ]}
        value={report}
        onChange={setReport}
      />
      <Group grow align="flex-end">
        <TextInput
          label="When"
          description="Minute, hour, day, month, day of the week"
          name="cron"
          required
          withAsterisk={false}
          value={cron}
          onChange={(e) => setCron(e.currentTarget.value)}
        />
        <Select label="By the clock of" searchable limit={60} allowDeselect={false} data={zones} value={zone} onChange={(v) => v && setZone(v)} />
      </Group>
      <TagsInput label="To whom" description="Mail addresses of users, each with Enter" acceptValueOnBlur maxTags={20} value={recipients} onChange={setRecipients} />
      <Checkbox label="The numbers besides, as CSV" checked={csv} onChange={(e) => setCsv(e.currentTarget.checked)} />
    </FormDialog>
  );
}
