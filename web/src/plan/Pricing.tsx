import { SegmentedControl, SimpleGrid } from '@mantine/core';
import { useState } from 'react';

import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import type { Membership, Plan } from './fragments';
import { choices, priceOf, rules, stand } from './offer';
import { PlanCard } from './PlanCard';
import type { Wish } from './previewState';
import type { Features } from './words';

interface Props {
  plans: Plan[];
  features: Features;
  membership: Membership;
  onWish: (wish: Wish) => void;
}

/** The plans on offer side by side, at the prices of one length and currency. */
export function Pricing({ plans, features, membership, onWish }: Props) {
  const all = choices(plans);
  const [picked, setPicked] = useState<string | null>(null);
  const choice = [picked, membership.price].find((key) => all.some((c) => c.value === key)) ?? all[0]?.value;
  return (
    <Panel
      title="All plans"
      hint="Choosing one shows first what it costs and when it comes"
      data-testid="panel-plans"
      aside={
        all.length > 1 && (
          <SegmentedControl size="xs" data={all} value={choice ?? ''} onChange={setPicked} aria-label="Length of a period" />
        )
      }
    >
      {plans.length === 0 && <Empty title="No plans are on offer" />}
      <SimpleGrid cols={{ base: 1, sm: 2, md: Math.min(Math.max(plans.length, 1), 4) }}>
        {plans.map((plan) => {
          const price = priceOf(plan, choice);
          return (
            <PlanCard
              key={plan.id}
              plan={plan}
              price={price}
              stand={stand(plan, price, membership, plans)}
              rules={rules(plan, plans)}
              features={features}
              onChoose={() => onWish({ plan, price })}
            />
          );
        })}
      </SimpleGrid>
    </Panel>
  );
}
