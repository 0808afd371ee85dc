import { Skeleton, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useSession } from '../session/viewer';
import { ProblemNote } from '../ui/ProblemNote';
import { AddonsPanel } from './AddonsPanel';
import { LedgerPanel } from './LedgerPanel';
import { MyPlan } from './MyPlan';
import { OFFER, STANDING } from './operations';
import { PreviewDialog } from './PreviewDialog';
import type { Wish } from './previewState';
import { Pricing } from './Pricing';
import { type Offer, useFeatures } from './useFeatures';
import { type Standing, useStanding } from './useStanding';
import { FeaturesPanel, UsagePanel } from './UsagePanel';

/** What is on offer, where one stands, what one uses, and what one has paid. */
export default function PlanPage() {
  const [offer, offerAgain] = useQuery({ query: OFFER, requestPolicy: 'cache-and-network' });
  const [standing, standingAgain] = useQuery({ query: STANDING, variables: { user: null }, requestPolicy: 'cache-and-network' });
  const reload = () => {
    offerAgain({ requestPolicy: 'network-only' });
    standingAgain({ requestPolicy: 'network-only' });
  };
  const error = (!offer.data && offer.error) || (!standing.data && standing.error) || null;
  return (
    <Stack data-testid="plan-page">
      <div>
        <Title order={1} fz="h2">
          Plan
        </Title>
        <Text size="sm" c="dimmed">
          What your plan lets you use, how much of it you do, and what else there is.
        </Text>
      </div>
      {error && <ProblemNote problem={problemOf(error)} onRetry={reload} />}
      {!error && !(offer.data && standing.data) && <Skeleton h={420} />}
      {offer.data && standing.data && <Body offer={offer.data} read={standing.data} reload={reload} />}
    </Stack>
  );
}

function Body({ offer, read, reload }: { offer: Offer; read: Standing; reload: () => void }) {
  const { membership, entitlements } = useStanding(read, null);
  const features = useFeatures(offer);
  const { recheck } = useSession();
  const [wish, setWish] = useState<Wish | null>(null);
  // A plan may give a role: what the pages may show is another then.
  const changed = () => {
    reload();
    recheck();
  };
  return (
    <>
      <MyPlan membership={membership} plans={offer.plans} changed={changed} />
      <UsagePanel entitlements={entitlements} features={features} />
      <Pricing plans={offer.plans} features={features} membership={membership} onWish={setWish} />
      <AddonsPanel addons={offer.addons} features={features} membership={membership} changed={changed} onWish={setWish} />
      <FeaturesPanel entitlements={entitlements} features={features} />
      <LedgerPanel user={null} version={membership.version} />
      {wish && (
        <PreviewDialog
          wish={wish}
          membership={membership}
          features={features}
          onClose={() => setWish(null)}
          onStale={reload}
          onChanged={() => {
            setWish(null);
            changed();
          }}
        />
      )}
    </>
  );
}
