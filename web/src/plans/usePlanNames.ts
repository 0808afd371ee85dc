import { useMemo } from 'react';
import { useQuery } from 'urql';

import { useFeatures } from '../plan/useFeatures';
import type { Features } from '../plan/words';
import { useSession } from '../session/viewer';
import { NAMES_OF_PLANS } from './operations';

/** The plans by key, with those that are not on offer for who may read the catalogue, and the features. */
export function usePlanNames(): { plans: { key: string; name: string }[]; features: Features } {
  const all = useSession().viewer.permissions.includes('plan.catalogue.write');
  const [{ data }] = useQuery({ query: NAMES_OF_PLANS, variables: { all } });
  const features = useFeatures(data);
  const plans = useMemo(() => {
    const versions = [...(data?.catalogue?.plans ?? []), ...(data?.plans ?? [])].toSorted((a, b) => a.rank - b.rank);
    // The newest version of a level gives its name.
    return [...new Map(versions.toReversed().map((p) => [p.key, p])).values()].toReversed();
  }, [data]);
  return { plans, features };
}
