import { Alert } from '@mantine/core';

import { useSecrets } from '../app/router';
import { date } from '../format/time';
import { Icon } from '../ui/Icon';

/** What somebody who has just left is told at the door. `until` is when everything is deleted; null for a sleep. */
export function farewell(until: string | null): string {
  return until ? `/sign-in#left=deleted&until=${encodeURIComponent(until)}` : '/sign-in#left=asleep';
}

/** Says what has become of an account that its owner has left. */
export function Farewell() {
  const secrets = useSecrets();
  const until = secrets.get('until');
  if (!secrets.get('left')) return null;
  return (
    <Alert color="teal" variant="light" icon={<Icon name="check" />} data-testid="farewell">
      {until && !Number.isNaN(Date.parse(until))
        ? `Your account is deleted after ${date(until)}. Until then, signing in keeps it.`
        : 'Your account is asleep. Signing in wakes it.'}
    </Alert>
  );
}
