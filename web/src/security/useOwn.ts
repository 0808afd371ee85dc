import type { ChannelInput } from '../live/message';
import { useLive } from '../live/useLive';
import type { SecurityEvent, Session } from '../session/fragments';
import { useSocketState } from '../session/SocketProvider';

/** How many facts a page of the activity has. */
export const eventsShown = 10;

const channels: ChannelInput[] = [
  { key: 'sessions', mySessions: { first: 100 } },
  { key: 'events', mySecurityEvents: { first: eventsShown } },
];

interface Own {
  /** Null while it is not known to be as it is: then what was read has to do. */
  sessions: Session[] | null;
  /** The newest, and all that came since the page is shown. */
  events: SecurityEvent[] | null;
}

/** Follows where the user is signed in and what happens to their account. */
export function useOwn(): Own {
  const { channels: followed } = useLive(channels);
  const open = useSocketState().phase === 'open';
  const { sessions, events } = followed;
  const live = (phase: string | undefined) => open && phase === 'live';
  return {
    sessions: live(sessions?.phase) && sessions?.data?.__typename === 'SessionList' ? sessions.data.sessions : null,
    events: live(events?.phase) && events?.data?.__typename === 'SecurityEventList' ? events.data.events : null,
  };
}
