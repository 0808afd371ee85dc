import { Button, Divider, Stack } from '@mantine/core';

import type { Problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { useVisit } from '../session/viewer';
import { BEGIN_PASSKEY_SIGN_IN, SIGN_IN_ANONYMOUSLY, SIGN_IN_WITH_PASSKEY } from './operations';
import { ProviderButtons } from './ProviderButtons';
import type { Arrival } from './useArrival';
import { getPasskey, passkeyProblem } from './webauthn';

interface Props {
  arrival: Arrival;
  onMail: () => void;
  onFailure: (failure: Problem | null) => void;
}

/** The ways in that need no password. */
export function OtherWays({ arrival, onMail, onFailure }: Props) {
  const { settings, viewer } = useVisit();
  const begin = useAct(BEGIN_PASSKEY_SIGN_IN);
  const finish = useAct(SIGN_IN_WITH_PASSKEY);
  const guest = useAct(SIGN_IN_ANONYMOUSLY);

  const withPasskey = async () => {
    const started = await begin.run({}, onFailure);
    if (!started) return;
    const { flow, options } = started.beginPasskeySignIn;
    const credential = await getPasskey(options).catch((error: unknown) => onFailure(passkeyProblem(error)));
    if (!credential) return;
    const answer = await finish.run({ input: { flow, credential, remember: arrival.stay, transport: 'COOKIE' } }, onFailure);
    if (answer) arrival.arrive(answer.signInWithPasskey.result);
  };
  const asGuest = async () => {
    const answer = await guest.run({ input: { transport: 'COOKIE' } }, onFailure);
    if (answer) arrival.arrive(answer.signInAnonymously.result);
  };

  return (
    <Stack gap="xs" component="section" aria-label="Other ways to sign in">
      <Divider label="or" />
      <Button variant="default" loading={begin.busy || finish.busy} onClick={() => void withPasskey()}>
        Sign in with a passkey
      </Button>
      <Button variant="default" onClick={onMail}>
        Mail me a sign-in link
      </Button>
      <ProviderButtons onFailure={onFailure} />
      {settings.registration === 'OPEN' && !viewer && (
        <Button variant="subtle" loading={guest.busy} onClick={() => void asGuest()}>
          Look around as a guest
        </Button>
      )}
    </Stack>
  );
}
