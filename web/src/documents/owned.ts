import { useSession } from '../session/viewer';

/** A document as a choice is made of. */
interface Choosable {
  id: string;
  label: string;
  owner: { id: string; name: string } | null;
}

/** Entries for a Select: those of others say whose they are, for titles are not unique. */
export function useChoices(): (documents?: Choosable[]) => { value: string; label: string }[] {
  const me = useSession().viewer.user.id;
  return (documents = []) =>
    documents.map((d) => ({ value: d.id, label: d.owner?.id === me ? d.label : `${d.label} (${d.owner?.name ?? 'of the server'})` }));
}
