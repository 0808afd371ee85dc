import type { Ended } from '../api/ended';

/** A session that has ended while its page was shown. */
export interface EndedSession {
  why: Ended;
  /** Name of the user somebody acted as in it; null for one's own session. */
  actedAs: string | null;
}

/** What the person at the door is told of it. */
export function endedWords({ why, actedAs }: EndedSession): string {
  if (actedAs !== null) {
    return `You act as ${actedAs} no more${why === 'time' ? ': the time for it is over' : ''}. Sign in as yourself to go on.`;
  }
  return `Your session has ended${reasons[why]}. Sign in to go on where you were.`;
}

const reasons: Record<Ended, string> = {
  time: ': its time was over',
  elsewhere: ': it was signed out, by you elsewhere or by an administrator',
  unknown: '',
};
