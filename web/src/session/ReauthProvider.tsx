import { Button, Center, Loader, Modal, Stack, Text } from '@mantine/core';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { useClient, useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { ConfirmContext } from '../api/reauth';
import { FactorChoice } from '../auth/FactorChoice';
import type { Proof, RequiredFactor } from '../auth/steps';
import { ProblemNote } from '../ui/ProblemNote';
import { COMPLETE_ELEVATION, ELEVATE, STEP_UP } from './operations';
import { stepUpWords } from './stepUp';

/** Lets any mutation below it ask for a fresh proof, in one dialog whoever asks. */
export function ReauthProvider({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState(false);
  const waiting = useRef<((proved: boolean) => void)[]>([]);
  const confirm = useCallback(() => {
    setOpen(true);
    return new Promise<boolean>((resolve) => waiting.current.push(resolve));
  }, []);
  const close = (proved: boolean) => {
    setOpen(false);
    for (const resolve of waiting.current.splice(0)) resolve(proved);
  };
  return (
    <ConfirmContext value={confirm}>
      {children}
      {open && (
        <Modal
          opened
          onClose={() => close(false)}
          title="Show that it is you"
          zIndex={300}
          data-testid="reauth"
          closeButtonProps={{ 'aria-label': 'Close' }}
        >
          <Elevation onProved={() => close(true)} onLeave={() => close(false)} />
        </Modal>
      )}
    </ConfirmContext>
  );
}

/** What no proof can change: asking again would get the same answer. */
const final = ['FACTOR_NEEDED', 'IMPERSONATION_FORBIDDEN'];

/** Asks the server what it wants, and gives it. */
function Elevation({ onProved, onLeave }: { onProved: () => void; onLeave: () => void }) {
  const client = useClient();
  const [{ data: known }] = useQuery({ query: STEP_UP, requestPolicy: 'network-only' });
  const [openedAt] = useState(() => Date.now());
  const [required, setRequired] = useState<RequiredFactor | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);

  const begin = useCallback(async () => {
    setRequired(null);
    setFailure(null);
    const { data, error } = await client.mutation(ELEVATE, {}).toPromise();
    if (error) setFailure(problemOf(error));
    else if (data) setRequired(data.elevate.required);
  }, [client]);

  useEffect(() => void begin(), [begin]);

  const prove = async (proof: Proof) => {
    const input = { flow: required?.flow ?? '', proof };
    const { error } = await client.mutation(COMPLETE_ELEVATION, { input }).toPromise();
    if (error) return problemOf(error);
    onProved();
    return null;
  };

  return (
    <Stack>
      {!failure && (
        <Text size="sm" c="dimmed" data-testid="step-up">
          {known ? stepUpWords(known.stepUp, openedAt) : 'What you are about to do wants a fresh proof.'} It is good for some minutes.
        </Text>
      )}
      {failure && (
        <ProblemNote
          problem={failure}
          onRetry={final.includes(failure.code) ? undefined : () => void begin()}
          onLeave={onLeave}
        />
      )}
      {!failure && !required && (
        <Center h={120}>
          <Loader type="dots" aria-label="Loading" />
        </Center>
      )}
      {required && (
        <FactorChoice
          required={required}
          prove={prove}
          lapsed={
            <Button size="compact-sm" variant="default" onClick={() => void begin()}>
              Start again
            </Button>
          }
        />
      )}
    </Stack>
  );
}
