import { Button, Group, Stack } from '@mantine/core';

import { useAct } from '../api/useAct';
import { date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import type { Membership, Plan } from './fragments';
import { CANCEL, RESUME } from './operations';
import { StatusFacts } from './StatusFacts';

interface Props {
  membership: Membership;
  plans: readonly Plan[];
  changed: () => void;
}

/** Where one stands, and the way out and back. */
export function MyPlan({ membership: m, plans, changed }: Props) {
  const cancel = useAct(CANCEL);
  const resume = useAct(RESUME);
  const failure = cancel.failure ?? resume.failure;
  const end = async (now: boolean) => {
    resume.setFailure(null);
    if (await cancel.run({ input: { now } })) changed();
  };
  const goOn = async () => {
    cancel.setFailure(null);
    if (await resume.run({ input: {} })) changed();
  };
  const { chosen } = m;
  const ends = ['TRIALING', 'ACTIVE', 'PAST_DUE'].includes(m.status) && m.price !== '';
  const resumes = m.status === 'CANCELED' || m.pending !== null;
  return (
    <Panel title="My plan" hint={`${chosen.name} since ${date(m.since)}`} data-testid="panel-plan">
      <Stack gap="sm">
        {failure && <ProblemNote problem={failure} />}
        <StatusFacts membership={m} plans={plans} />
        {(ends || resumes) && (
          <Group gap="xs">
            {resumes && (
              <Button size="compact-sm" loading={resume.busy} onClick={() => void goOn()}>
                {m.status === 'CANCELED' ? `Keep ${chosen.name}` : 'Stay as it is'}
              </Button>
            )}
            {ends && m.status !== 'PAST_DUE' && (
              <ConfirmButton
                label="Cancel at the end"
                question={`End ${chosen.name} on ${date(m.until ?? m.periodEnd)}? Until then all stays as it is, and you can still change your mind.`}
                loading={cancel.busy}
                onConfirm={() => void end(false)}
              />
            )}
            {(ends || m.status === 'CANCELED') && (
              <ConfirmButton
                label="Cancel now"
                question={`End ${chosen.name} at once? Nothing is given back.`}
                loading={cancel.busy}
                onConfirm={() => void end(true)}
              />
            )}
          </Group>
        )}
      </Stack>
    </Panel>
  );
}
