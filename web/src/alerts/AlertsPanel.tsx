import { Badge, Button, Group, Skeleton } from '@mantine/core';
import { useState } from 'react';

import { type Problem, problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { figure } from '../format/number';
import { clockSeconds, dateTime } from '../format/time';
import { useLive } from '../live/useLive';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { AlertForm } from './AlertForm';
import { type Alert, DELETE_ALERT, UPDATE_ALERT } from './operations';
import { conditionWord, stateWords, titleOf } from './words';

/** The alerts, as they stand from moment to moment. */
export function AlertsPanel() {
  const writes = useSession().viewer.permissions.includes('reporting.alert.write');
  const { channels, problem: broken, retry } = useLive([{ key: 'alerts', alerts: true }]);
  const channel = channels['alerts'];
  const failure = channel?.error ? problem(channel.error.code, channel.error.message) : broken;
  const alerts = channel?.data?.__typename === 'AlertList' ? channel.data.alerts : undefined;
  const [making, setMaking] = useState(false);
  return (
    <Panel
      title="Alerts"
      hint="Each looks at a saved report every half minute"
      data-testid="panel-alerts"
      aside={
        writes && (
          <Button size="compact-sm" variant="light" onClick={() => setMaking(true)}>
            New alert
          </Button>
        )
      }
    >
      {failure && <ProblemNote problem={failure} onRetry={retry} />}
      {!failure && !alerts && <Skeleton h={80} />}
      {alerts?.length === 0 && <Empty title="No alerts">An alert tells by mail when a report goes wrong, and when it is over.</Empty>}
      {alerts && (
        <Rows label="Alerts">
          {alerts.map((a) => (
            <AlertRow key={a.id} alert={a} writes={writes} />
          ))}
        </Rows>
      )}
      {making && <AlertForm onClose={() => setMaking(false)} />}
    </Panel>
  );
}

function AlertRow({ alert: a, writes }: { alert: Alert; writes: boolean }) {
  const [failure, setFailure] = useState<Problem | null>(null);
  const update = useAct(UPDATE_ALERT);
  const remove = useAct(DELETE_ALERT);
  const { label, color } = stateWords[a.state];
  const title = titleOf(a.report);
  return (
    <Row
      title={
        <Group gap={8} component="span">
          {title}
          <Badge variant={a.state === 'FIRING' ? 'filled' : 'light'} color={a.paused ? 'gray' : color} tt="none" role="status">
            {a.paused ? 'Paused' : label}
          </Badge>
        </Group>
      }
      detail={
        <span className="bb-numeric">
          {conditionWord(a)} · {a.evaluatedAt ? `last ${figure(a.value)} at ${clockSeconds(a.evaluatedAt)}` : 'not looked at yet'} · so since{' '}
          {dateTime(a.since)} · to {a.recipients.map((r) => r.name).join(', ')}
          {a.reason && ` · ${a.reason}`}
          {failure && <ProblemNote problem={failure} mt="xs" />}
        </span>
      }
      data-testid="alert"
    >
      {writes && (
        <Button
          size="compact-sm"
          variant="default"
          loading={update.busy}
          aria-label={`${a.paused ? 'Resume' : 'Pause'} ${title}`}
          onClick={() => void update.run({ input: { id: a.id, paused: !a.paused } }, setFailure)}
        >
          {a.paused ? 'Resume' : 'Pause'}
        </Button>
      )}
      <ConfirmButton
        label="Delete"
        aria-label={`Delete the alert of ${title}`}
        question="Delete this alert? Nobody is told any more."
        loading={remove.busy}
        onConfirm={() => void remove.run({ input: { id: a.id } }, setFailure)}
      />
    </Row>
  );
}
