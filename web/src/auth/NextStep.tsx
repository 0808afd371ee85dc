import { Anchor, Button, Checkbox, Stack } from '@mantine/core';
import { useState } from 'react';

import { problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { ProblemNote } from '../ui/ProblemNote';
import { FactorChoice } from './FactorChoice';
import { Frame } from './Frame';
import { COMPLETE_SIGN_IN } from './operations';
import { StayCheckbox } from './StayCheckbox';
import type { Proof, RequiredFactor, Step } from './steps';
import type { Arrival } from './useArrival';
import { VerifyStep } from './VerifyStep';

/** What is left to do after a first proof. */
export function NextStep({ step, arrival }: { step: Step; arrival: Arrival }) {
  switch (step.kind) {
    case 'factor':
      return <FactorStep required={step} arrival={arrival} />;
    case 'verify':
      return <VerifyStep key={step.flow} started={step} arrival={arrival} />;
    case 'restored':
      return (
        <Frame title="Good to have you back" lead="Your account was asleep or about to be deleted. It is as it was.">
          <Button onClick={arrival.enter} autoFocus fullWidth>
            Continue
          </Button>
        </Frame>
      );
    case 'unknown':
      return (
        <Frame title="One more step" foot={<StartAgain onClick={arrival.restart} />}>
          <ProblemNote problem={problem('STEP_UNKNOWN', '')} />
          <Button onClick={() => location.reload()} fullWidth>
            Reload
          </Button>
        </Frame>
      );
  }
}

function FactorStep({ required, arrival }: { required: RequiredFactor; arrival: Arrival }) {
  const complete = useAct(COMPLETE_SIGN_IN);
  const [trustDevice, setTrustDevice] = useState(false);
  const prove = async (proof: Proof) => {
    let failure = null;
    const input = { flow: required.flow, proof, trustDevice, remember: arrival.stay, transport: 'COOKIE' as const };
    const answer = await complete.run({ input }, (f) => (failure = f));
    if (answer) arrival.arrive(answer.completeSignIn.result);
    return failure;
  };
  return (
    <Frame
      title="One more proof"
      lead="Your account has a second factor."
      foot={<StartAgain onClick={arrival.restart} />}
      data-testid="factor-step"
    >
      <FactorChoice
        key={required.flow}
        required={required}
        prove={prove}
        lapsed={<StartAgain onClick={arrival.restart} />}
        extra={
          <Stack gap="xs">
            <Checkbox
              label="Do not ask again on this device for 30 days"
              name="trustDevice"
              checked={trustDevice}
              onChange={(e) => setTrustDevice(e.currentTarget.checked)}
            />
            <StayCheckbox arrival={arrival} />
          </Stack>
        }
      />
    </Frame>
  );
}

export function StartAgain({ onClick, children = 'Start again' }: { onClick: () => void; children?: string }) {
  return (
    <Anchor component="button" type="button" size="sm" onClick={onClick}>
      {children}
    </Anchor>
  );
}
