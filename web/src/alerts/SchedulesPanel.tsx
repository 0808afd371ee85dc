import { Badge, Button, Group, Skeleton } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { ahead, dateTime } from '../format/time';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { DELETE_SCHEDULE, RUN_SCHEDULE, type Schedule, SCHEDULES, UPDATE_SCHEDULE } from './operations';
import { ScheduleForm } from './ScheduleForm';
import { titleOf } from './words';

/** What is sent by mail, and when. */
export function SchedulesPanel() {
  const writes = useSession().viewer.permissions.includes('reporting.schedule.write');
  const [{ data, error }, again] = useQuery({ query: SCHEDULES, requestPolicy: 'cache-and-network' });
  const [making, setMaking] = useState(false);
  const reload = () => again({ requestPolicy: 'network-only' });
  return (
    <Panel
      title="Schedules"
      hint="Reports and dashboards by mail"
      data-testid="panel-schedules"
      aside={
        writes && (
          <Button size="compact-sm" variant="light" onClick={() => setMaking(true)}>
            New schedule
          </Button>
        )
      }
    >
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !data && <Skeleton h={80} />}
      {data?.schedules.nodes.length === 0 && <Empty title="No schedules">A schedule sends a report or a dashboard at times of your clock.</Empty>}
      {data && (
        <Rows label="Schedules">
          {data.schedules.nodes.map((s) => (
            <ScheduleRow key={s.id} schedule={s} writes={writes} reload={reload} />
          ))}
        </Rows>
      )}
      {making && (
        <ScheduleForm
          onClose={() => setMaking(false)}
          onMade={() => {
            setMaking(false);
            reload();
          }}
        />
      )}
    </Panel>
  );
}

function ScheduleRow({ schedule: s, writes, reload }: { schedule: Schedule; writes: boolean; reload: () => void }) {
  const now = useNow(30_000);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [sent, setSent] = useState(false);
  const update = useAct(UPDATE_SCHEDULE);
  const send = useAct(RUN_SCHEDULE);
  const remove = useAct(DELETE_SCHEDULE);
  const title = titleOf(s.report);
  const turn = async () => {
    if (await update.run({ input: { id: s.id, paused: !s.paused } }, setFailure)) reload();
  };
  const sendNow = async () => setSent((await send.run({ input: { id: s.id } }, setFailure)) !== null);
  const drop = async () => {
    if (await remove.run({ input: { id: s.id } }, setFailure)) reload();
  };
  return (
    <Row
      title={
        <Group gap={8} component="span">
          {title}
          {s.paused && (
            <Badge variant="light" color="gray" tt="none">
              Paused
            </Badge>
          )}
        </Group>
      }
      detail={
        <span className="bb-numeric">
          <code>{s.cron}</code> {s.timeZone} · {s.nextAt ? `next ${ahead(s.nextAt, now)}` : 'no next time'}
          {s.lastAt && ` · last ${dateTime(s.lastAt)}`} · to {s.recipients.map((r) => r.name).join(', ')}
          {s.format === 'HTML_CSV' && ' · with CSV'}
          {s.reason && ` · ${s.reason}`}
          {s.errorCode && ` · ${s.errorCode}`}
          {sent && ' · sent'}
          {failure && <ProblemNote problem={failure} mt="xs" />}
        </span>
      }
      data-testid="schedule"
    >
      <Button size="compact-sm" variant="default" loading={send.busy} aria-label={`Send ${title} now`} onClick={() => void sendNow()}>
        Send now
      </Button>
      {writes && (
        <Button size="compact-sm" variant="default" loading={update.busy} aria-label={`${s.paused ? 'Resume' : 'Pause'} ${title}`} onClick={() => void turn()}>
          {s.paused ? 'Resume' : 'Pause'}
        </Button>
      )}
      <ConfirmButton
        label="Delete"
        aria-label={`Delete the schedule of ${title}`}
        question="Delete this schedule? It is sent no more."
        loading={remove.busy}
        onConfirm={() => void drop()}
      />
    </Row>
  );
}
