import { readFileSync } from 'node:fs';
import { expect, inject, test, vi } from 'vitest';
import { MeDocument, NotesDocument, RewriteDocument, SignInDocument, WriteDocument } from '../generated/operations.ts';
import { urql } from '../src/urql.ts';

const { url, email, password } = inject('server');
const sdl = readFileSync(new URL('../generated/schema.graphql', import.meta.url), 'utf8');

test('signs in, pages, and a mutation changes what the cache holds', async () => {
  const warned = vi.spyOn(console, 'warn');
  let token: string | undefined;
  const client = urql(url, sdl, () => token);
  const { data: entered } = await client.mutation(SignInDocument, { identifier: email, password }).toPromise();
  if (entered?.signIn.result.__typename !== 'SignedIn') throw new Error(`signed in: ${entered?.signIn.result.__typename}`);
  token = entered.signIn.result.token ?? undefined;

  for (const text of ['urql one', 'urql two', 'urql three']) {
    const { error } = await client.mutation(WriteDocument, { text }).toPromise();
    expect(error).toBeUndefined();
  }
  const first = await client.query(NotesDocument, { first: 2 }).toPromise();
  const second = await client.query(NotesDocument, { first: 2, after: first.data?.documents.pageInfo.endCursor }).toPromise();
  const edges = second.data?.documents.edges ?? [];
  expect(edges.slice(0, 3).map((edge) => edge.node.label)).toEqual(['urql three', 'urql two', 'urql one']); // both pages, folded

  const { id, rev } = edges[1]!.node;
  await client.mutation(RewriteDocument, { id, rev, patch: { text: 'urql changed' } }).toPromise();
  const cached = await client.query(NotesDocument, { first: 2 }, { requestPolicy: 'cache-only' }).toPromise();
  expect(cached.data?.documents.edges[1]?.node.label).toBe('urql changed');

  const { error } = await client.query(NotesDocument, { first: 1000 }, { requestPolicy: 'network-only' }).toPromise();
  expect(error?.graphQLErrors[0]?.extensions).toMatchObject({ code: 'PAGE_SIZE' });

  const me = await client.query(MeDocument, {}).toPromise(); // a Viewer has no id
  expect(me.data?.me?.user.id).toMatch(/^user:/);
  expect(warned).not.toHaveBeenCalled(); // the cache has a key for everything, or knows that there is none
});
