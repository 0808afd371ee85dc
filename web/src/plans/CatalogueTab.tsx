import { Skeleton, Stack } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { useFeatures } from '../plan/useFeatures';
import { ProblemNote } from '../ui/ProblemNote';
import { CatalogueEditor } from './CatalogueEditor';
import { CouponsPanel } from './CouponsPanel';
import { CATALOGUE } from './operations';
import { VersionsPanel } from './VersionsPanel';

/** The catalogue as a text to edit, and all the versions that its plans have had. */
export function CatalogueTab() {
  const [{ data, error }, again] = useQuery({ query: CATALOGUE, requestPolicy: 'cache-and-network' });
  const features = useFeatures(data?.catalogue);
  if (error && !data) return <ProblemNote problem={problemOf(error)} onRetry={again} />;
  if (!data) return <Skeleton h={420} />;
  const { catalogue } = data;
  return (
    <Stack>
      <CatalogueEditor yaml={catalogue.yaml} />
      <VersionsPanel versions={catalogue.plans} features={features} />
      <CouponsPanel coupons={catalogue.coupons} />
    </Stack>
  );
}
