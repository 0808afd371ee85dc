import { useQuery } from 'urql';

import { NAMES } from '../roles/operations';
import { useSession } from '../session/viewer';

/** What the users with these ids are called, for who may read accounts; the first hundred. */
export function useNames(ids: string[]): ReadonlyMap<string, string> {
  const reads = useSession().viewer.permissions.includes('account.user.read');
  const asked = ids.slice(0, 100);
  const [{ data }] = useQuery({ query: NAMES, variables: { ids: asked }, pause: !reads || asked.length === 0 });
  return new Map(data?.nodes.flatMap((n) => (n && 'name' in n ? [[n.id, n.name] as const] : [])));
}
