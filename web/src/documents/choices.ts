import { useQuery } from 'urql';

import { graphql } from '../gql/graphql';
import { type ContentType, listed } from './operations';

/** The built-in kinds of objects a reference may point at, by the word the schema uses. */
const builtIn = { user: 'Users', role: 'Roles', plan: 'Plans', content_type: 'Content types' };

/** Stands for: not from a list, but by its global id. */
export const byId = 'id';

const CHOICES = graphql(`
  query Choices($type: String!, $prefix: String, $document: Boolean!, $user: Boolean!, $role: Boolean!, $plan: Boolean!, $content_type: Boolean!) {
    documents(type: $type, prefix: $prefix, first: 100) @include(if: $document) { nodes { id label } }
    users(first: 100) @include(if: $user) { nodes { id name } }
    roles(first: 100) @include(if: $role) { nodes { id name } }
    plans @include(if: $plan) { id name }
    contentTypes @include(if: $content_type) { id name }
  }
`);

/** What kinds of objects a reference with this `to` may point at, for a select. Kinds of documents go by `doc:` and their key. */
export function kindsOf(to: string[], types: ContentType[]): { value: string; label: string }[] {
  const any = to.includes('*');
  return [
    ...types
      .filter((t) => any || to.includes('document') || to.includes(t.key))
      .map((t) => ({ value: `doc:${t.key}`, label: `Documents: ${t.name}` })),
    ...Object.entries(builtIn)
      .filter(([key]) => any || to.includes(key))
      .map(([value, label]) => ({ value, label })),
    { value: byId, label: 'By global id' },
  ];
}

/** The objects of a kind to choose from: at most 100, of documents the newest whose label begins with what was typed. */
export function useChoices(kind: string, typed = '') {
  const [{ data, error, fetching }] = useQuery({
    query: CHOICES,
    variables: {
      type: kind.replace(/^doc:/, ''),
      prefix: typed.trim() || null,
      document: kind.startsWith('doc:'),
      user: kind === 'user',
      role: kind === 'role',
      plan: kind === 'plan',
      content_type: kind === 'content_type',
    },
    pause: kind === byId,
    requestPolicy: 'cache-and-network',
    context: listed,
  });
  const named = [...(data?.users?.nodes ?? []), ...(data?.roles?.nodes ?? []), ...(data?.plans ?? []), ...(data?.contentTypes ?? [])];
  const options = [
    ...(data?.documents?.nodes ?? []).map((d) => ({ value: d.id, label: d.label })),
    ...named.map((n) => ({ value: n.id, label: n.name })),
  ];
  return { options: kind === byId ? [] : options, error, fetching };
}
