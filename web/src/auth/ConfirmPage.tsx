import { Button, Text } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { Link, useSecrets } from '../app/router';
import { useVisit } from '../session/viewer';
import { ProblemNote } from '../ui/ProblemNote';
import { BrokenLink } from './BrokenLink';
import { Frame } from './Frame';
import { CONFIRM_EMAIL } from './operations';
import { WayIn } from './WayIn';

/** `/confirm#token=…`: confirms an address that the signed-in user has added, when they say so. */
export default function ConfirmPage() {
  const { viewer } = useVisit();
  const secrets = useSecrets();
  const token = secrets.get('token');
  if (!token) return <BrokenLink />;
  return viewer ? <Body key={secrets.serial} token={token} name={viewer.user.name} /> : <WayIn first="signIn" />;
}

function Body({ token, name }: { token: string; name: string }) {
  const { recheck } = useVisit();
  const { run, busy, failure } = useAct(CONFIRM_EMAIL);
  const [confirmed, setConfirmed] = useState<string[] | null>(null);
  const confirm = async () => {
    const answer = await run({ input: { token } });
    if (!answer) return;
    setConfirmed(answer.confirmEmail.emails.map((e) => e.email));
    recheck();
  };
  if (confirmed) {
    return (
      <Frame title="Your address is confirmed" data-testid="confirmed">
        <Text size="sm" role="status" style={{ overflowWrap: 'anywhere' }}>
          Your account has {confirmed.join(', ')}.
        </Text>
        <Button component={Link} href="/security" fullWidth>
          Go to your security page
        </Button>
      </Frame>
    );
  }
  return (
    <Frame title="Confirm your address" lead={`It becomes an address of ${name}.`}>
      {failure && <ProblemNote problem={failure} />}
      <Button loading={busy} onClick={() => void confirm()} autoFocus fullWidth>
        Confirm
      </Button>
      <Button component={Link} href="/security" variant="default" fullWidth>
        Not now
      </Button>
    </Frame>
  );
}
