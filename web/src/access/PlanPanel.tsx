import { Badge, Divider, SimpleGrid, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { date } from '../format/time';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { CHANGE_PLAN, type Me, type Plan } from './operations';
import { PlanCard } from './PlanCard';
import { Usage } from './Usage';

interface Props {
  me: Me;
  plans: Plan[];
  reload: () => void;
}

/** Where the user is in the plan catalogue, what is used of it, and the way to another plan. */
export function PlanPanel({ me, plans, reload }: Props) {
  const [{ fetching }, change] = useMutation(CHANGE_PLAN);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [wanted, setWanted] = useState<string | null>(null);
  const { membership, entitlements } = me;

  const move = async (plan: string) => {
    setWanted(plan);
    setFailure(null);
    const { error } = await change({ input: { plan, version: membership.version } });
    if (!error) return;
    const problem = problemOf(error);
    setFailure(problem);
    // What is on the screen is old: show what is true, and let the person decide again.
    if (problem.code === 'PLAN_STALE' || problem.code === 'PLAN_SAME') reload();
  };

  return (
    <Panel
      title="Plan"
      hint={`Since ${date(membership.since)}`}
      data-testid="panel-plan"
      aside={
        <Badge variant="light" size="lg" tt="none" data-testid="plan-current">
          {membership.plan.name}
        </Badge>
      }
    >
      <Stack gap="lg">
        {failure && <ProblemNote problem={failure} />}
        {entitlements.length === 0 ? (
          <Empty title="Nothing is counted on this plan" />
        ) : (
          <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="lg">
            {entitlements.map((e) => (
              <Usage key={e.feature} entitlement={e} />
            ))}
          </SimpleGrid>
        )}
        <Divider label={<Text size="xs">All plans</Text>} labelPosition="left" />
        <SimpleGrid cols={{ base: 1, sm: 2, md: Math.min(plans.length, 4) }}>
          {plans.map((plan) => (
            <PlanCard
              key={plan.id}
              plan={plan}
              current={plans.find((p) => p.id === membership.plan.id)}
              moving={fetching && wanted === plan.id}
              disabled={fetching}
              onMove={() => void move(plan.id)}
            />
          ))}
        </SimpleGrid>
      </Stack>
    </Panel>
  );
}
