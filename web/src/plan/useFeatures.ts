import { useMemo } from 'react';

import type { ResultOf } from '../gql/graphql';
import type { OFFER } from './operations';
import type { Features } from './words';

export type Offer = ResultOf<typeof OFFER>;

/** The features by their keys. */
export function useFeatures(offer: Pick<Offer, 'features'> | undefined): Features {
  return useMemo(() => new Map(offer?.features.map((f) => [f.key, f])), [offer]);
}
