import { Button, Stack } from '@mantine/core';

import { useAct } from '../api/useAct';
import { Link } from '../app/router';
import { SIGN_OUT } from '../session/operations';
import { useVisit, type Viewer } from '../session/viewer';
import { Frame } from './Frame';

/** Stands where somebody who is signed in has nothing to do. */
export function AlreadyIn({ viewer }: { viewer: Viewer }) {
  const { changed } = useVisit();
  const signOut = useAct(SIGN_OUT);
  return (
    <Frame title="You are signed in" lead={`As ${viewer.user.name}${viewer.user.email ? `, ${viewer.user.email}` : ''}.`}>
      <Stack gap="xs">
        <Button component={Link} href="/" fullWidth>
          Go to the dashboard
        </Button>
        <Button variant="default" loading={signOut.busy} onClick={() => void signOut.run({}).then(() => changed())} fullWidth>
          Sign out
        </Button>
      </Stack>
    </Frame>
  );
}
