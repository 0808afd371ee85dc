import { useState } from 'react';

import { doors } from '../app/pages';
import { usePath, useSearch } from '../app/router';
import { useVisit } from '../session/viewer';
import type { SignInResult } from './operations';
import { forget, remember } from './pending';
import { type Step, stepAfter } from './steps';
import { wayBack } from './wayBack';

/** Leads on from each answer of the server: to the next step, or in. */
export function useArrival(first: Step | null = null) {
  const { changed } = useVisit();
  const path = usePath();
  const back = wayBack(useSearch()) ?? '/';
  const done = doors.some((door) => door.path === path && !door.stays);
  const [step, setStep] = useState(first);
  const [stay, onStay] = useState(true);

  /** Goes in: from a page that is only a way in to where one came from, from any other to what it shows. */
  const enter = () => {
    forget();
    changed(done ? back : undefined);
  };
  const arrive = (result: SignInResult) => {
    const next = stepAfter(result);
    if (next?.kind === 'verify') remember(next);
    if (next) setStep(next);
    else enter();
  };
  return { step, arrive, enter, restart: () => setStep(null), stay, onStay };
}

export type Arrival = ReturnType<typeof useArrival>;
