import { Button } from '@mantine/core';

import type { Problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { doors } from '../app/pages';
import { usePath, useSearch } from '../app/router';
import { useVisit } from '../session/viewer';
import { BEGIN_PROVIDER } from './operations';
import { wayBack } from './wayBack';

/** One button for each provider. The browser leaves the console and comes back by the server's callback. */
export function ProviderButtons({ onFailure }: { onFailure: (failure: Problem | null) => void }) {
  const { settings } = useVisit();
  const { run, busy } = useAct(BEGIN_PROVIDER);
  const path = usePath();
  const search = useSearch();
  const isDoor = doors.some((door) => door.path === path);

  const go = async (provider: string) => {
    const returnTo = isDoor ? wayBack(search) : path + (search.size > 0 ? `?${search.toString()}` : '');
    const answer = await run({ input: { provider, returnTo, link: false } }, onFailure);
    if (answer) location.assign(answer.beginProvider.url);
  };
  return settings.providers.map((provider) => (
    <Button key={provider.key} variant="default" disabled={busy} onClick={() => void go(provider.key)}>
      Continue with {provider.name}
    </Button>
  ));
}
