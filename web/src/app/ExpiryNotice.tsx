import { Button } from '@mantine/core';

import { idles, stillWarns } from '../api/ended';
import { wayInFrom } from '../auth/wayBack';
import { clockSeconds } from '../format/time';
import { useSocket, useSocketState } from '../session/SocketProvider';
import { useSession } from '../session/viewer';
import { useNow } from '../ui/useNow';
import { Banner } from './Banner';
import { navigate, usePath, useSearch } from './router';

/** Warns of the end of the session once the server has, a minute before it; nothing otherwise. */
export function ExpiryNotice() {
  const { endsAt } = useSocketState();
  return endsAt && <Warning key={endsAt} endsAt={endsAt} />;
}

function Warning({ endsAt }: { endsAt: string }) {
  const { viewer, recheck } = useSession();
  const socket = useSocket();
  const path = usePath();
  const search = useSearch().toString();
  const now = useNow(1_000);
  if (!stillWarns(endsAt, now)) return null;
  const acting = viewer.impersonatedBy !== null;
  const at = clockSeconds(endsAt);
  const stay = () => {
    // Any request is a use, and puts the end off.
    recheck();
    socket.prolonged();
  };
  return (
    <Banner
      kind="expiry"
      label="The end of the session"
      text={acting ? `You act as ${viewer.user.name} until ${at}.` : `Your session ends at ${at}.`}
    >
      {idles(endsAt, viewer.session?.expiresAt) && (
        <Button size="compact-sm" variant="default" onClick={stay}>
          {acting ? 'Go on' : 'Stay signed in'}
        </Button>
      )}
      {/* Who acts as somebody else has nothing to sign in with as them; the banner above leads back. */}
      {!acting && (
        <Button size="compact-sm" variant="default" onClick={() => navigate(wayInFrom(path, search))}>
          Sign in again
        </Button>
      )}
    </Banner>
  );
}
