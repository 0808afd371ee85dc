import { Anchor, Group, Stack, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';

import { type Problem, problem } from '../api/problem';
import { ProblemNote } from '../ui/ProblemNote';
import { EmailCodeForm, PasskeyForm, PasswordForm, RecoveryForm, TotpForm } from './FactorForms';
import { type FactorKind, factorNames, firstFactor, isKnown, type Proof, type RequiredFactor } from './steps';

interface Props {
  required: RequiredFactor;
  /** Sends the proof, and tells what was wrong with it. */
  prove: (proof: Proof) => Promise<Problem | null>;
  /** What to do when the attempt itself is no longer good. */
  lapsed: ReactNode;
  /** What else is asked along with the proof, whichever it is. */
  extra?: ReactNode;
}

export interface FactorFormProps {
  flow: string;
  busy: boolean;
  prove: (proof: Proof) => Promise<void>;
  /** Stands before the button that sends the proof. */
  extra: ReactNode;
  onFailure: (failure: Problem | null) => void;
}

const forms: Record<FactorKind, (props: FactorFormProps) => ReactNode> = {
  PASSWORD: PasswordForm,
  TOTP: TotpForm,
  PASSKEY: PasskeyForm,
  RECOVERY_CODE: RecoveryForm,
  EMAIL_CODE: EmailCodeForm,
};

/** One of several proofs, with the way to the others. */
export function FactorChoice({ required, prove, lapsed, extra }: Props) {
  const { flow, factors } = required;
  const [chosen, setChosen] = useState(() => firstFactor(factors));
  const [failure, setFailure] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  if (!chosen) return <ProblemNote problem={problem('STEP_UNKNOWN', '')} />;

  const Form = forms[chosen];
  const others = factors.filter((f) => f !== chosen && isKnown(f));
  const send = async (proof: Proof) => {
    setBusy(true);
    setFailure(null);
    const wrong = await prove(proof);
    setBusy(false);
    setFailure(wrong);
  };
  return (
    <Stack data-testid="factor" data-factor={chosen}>
      {failure && <ProblemNote problem={failure}>{failure.code === 'TICKET_INVALID' && lapsed}</ProblemNote>}
      <Form key={chosen} flow={flow} busy={busy} prove={send} extra={extra} onFailure={setFailure} />
      {others.length > 0 && (
        <Group gap="xs" component="section" aria-label="Other ways">
          <Text size="sm" c="dimmed">
            Another way:
          </Text>
          {others.map((factor) => (
            <Anchor
              key={factor}
              component="button"
              type="button"
              size="sm"
              onClick={() => {
                setChosen(factor);
                setFailure(null);
              }}
            >
              {factorNames[factor]}
            </Anchor>
          ))}
        </Group>
      )}
    </Stack>
  );
}
