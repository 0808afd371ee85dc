import { Anchor, Button } from '@mantine/core';

import { Link, useSecrets } from '../app/router';
import { useVisit } from '../session/viewer';
import { BrokenLink } from './BrokenLink';
import { Frame } from './Frame';
import { ResetForm } from './ResetForm';

/** `/reset#token=…`: takes a new password. */
export default function ResetPage() {
  const { changed } = useVisit();
  const secrets = useSecrets();
  const token = secrets.get('token');
  if (!token) return <BrokenLink />;
  return (
    <Frame
      title="Choose a new password"
      lead="You are then signed out everywhere."
      foot={
        <Anchor component={Link} href="/sign-in" size="sm">
          Sign in instead
        </Anchor>
      }
    >
      <ResetForm
        key={secrets.serial}
        by={{ token }}
        done={
          // Whoever was signed in here may be so no longer.
          <Button onClick={() => changed('/sign-in')} autoFocus fullWidth>
            Sign in
          </Button>
        }
      />
    </Frame>
  );
}
