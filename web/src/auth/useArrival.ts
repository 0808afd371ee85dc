import { useState } from 'react';

import { doors } from '../app/pages';
import { usePath } from '../app/router';
import { useVisit } from '../session/viewer';
import type { SignInResult } from './operations';
import { forget, remember } from './pending';
import { type Step, stepAfter } from './steps';

/** Leads on from each answer of the server: to the next step, or in. */
export function useArrival(first: Step | null = null) {
  const { changed } = useVisit();
  const path = usePath();
  const done = doors.some((door) => door.path === path && !door.stays);
  const [step, setStep] = useState(first);

  /** Goes in: from a page that is only a way in to the start page, from any other to what it shows. */
  const enter = () => {
    forget();
    changed(done ? '/' : undefined);
  };
  const arrive = (result: SignInResult) => {
    const next = stepAfter(result);
    if (next?.kind === 'verify') remember(next);
    if (next) setStep(next);
    else enter();
  };
  return { step, arrive, enter, restart: () => setStep(null) };
}

export type Arrival = ReturnType<typeof useArrival>;
