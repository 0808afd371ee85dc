import { Alert } from '@mantine/core';

import { problem } from '../api/problem';
import { useSecrets } from '../app/router';
import { useSession } from '../session/viewer';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';

/** How linking another provider went: its callback says so behind the # of the address. */
export function LinkNote() {
  const { settings } = useSession();
  const secrets = useSecrets();
  const error = secrets.get('error');
  const linked = secrets.get('linked');
  if (error) return <ProblemNote problem={problem(error, 'linking did not work')} />;
  if (!linked) return null;
  const name = settings.providers.find((p) => p.key === linked)?.name ?? linked;
  return (
    <Alert color="teal" variant="light" icon={<Icon name="check" />} role="status">
      {name} is linked: you can sign in with it from now on.
    </Alert>
  );
}
