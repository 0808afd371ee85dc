import { Checkbox } from '@mantine/core';

import type { Arrival } from './useArrival';

/** Whether to stay signed in beyond the day: asked in every step that may be the last one, and carried from one to the next. */
export function StayCheckbox({ arrival }: { arrival: Pick<Arrival, 'stay' | 'onStay'> }) {
  return (
    <Checkbox
      label="Stay signed in"
      description="Untick it on a device that is not yours: you are then signed out when the browser is closed."
      name="remember"
      checked={arrival.stay}
      onChange={(e) => arrival.onStay(e.currentTarget.checked)}
    />
  );
}
