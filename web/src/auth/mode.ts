import type { Arrival } from './useArrival';
import type { Mode } from './WayIn';

/** What each form of the way in gets. */
export interface ModeProps {
  /** Mail address or username, as far as it was typed. */
  email: string;
  onEmail: (email: string) => void;
  onMode: (mode: Mode) => void;
  arrival: Arrival;
}
