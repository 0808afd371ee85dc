import { CombinedGraphQLErrors } from '@apollo/client';
import { expect, inject, test } from 'vitest';
import { FoundDocument, MeDocument, NoteFragmentDoc, NotesDocument, RenameDocument, RewriteDocument, SignInDocument, ThingFragmentDoc, WriteDocument } from '../generated/operations.ts';
import { apollo } from '../src/apollo.ts';

const { url, email, password } = inject('server');
let token: string | undefined;

async function signedIn() {
  const client = apollo(url, () => token);
  const { data } = await client.mutate({ mutation: SignInDocument, variables: { identifier: email, password } });
  if (data?.signIn.result.__typename !== 'SignedIn') throw new Error(`signed in: ${data?.signIn.result.__typename}`);
  token = data.signIn.result.token ?? undefined;
  return client;
}

test('signs in, pages, and a mutation changes what the cache holds', async () => {
  const client = await signedIn();
  for (const text of ['apollo one', 'apollo two', 'apollo three']) await client.mutate({ mutation: WriteDocument, variables: { text } });

  const notes = client.watchQuery({ query: NotesDocument, variables: { first: 2 } });
  const { data } = await client.query({ query: NotesDocument, variables: { first: 2 } });
  expect(data?.documents.edges.map((edge) => edge.node.label)).toEqual(['apollo three', 'apollo two']);
  expect(data?.documents.pageInfo.hasNextPage).toBe(true);

  await notes.fetchMore({ variables: { first: 2, after: data?.documents.pageInfo.endCursor } });
  const labels = () => client.readQuery({ query: NotesDocument, variables: { first: 2 } })?.documents.edges.map((edge) => edge.node.label);
  expect(labels()?.slice(0, 3)).toEqual(['apollo three', 'apollo two', 'apollo one']);

  const { id, rev } = client.readFragment({ fragment: NoteFragmentDoc, fragmentName: 'Note', id: client.cache.identify(data!.documents.edges[1]!.node) })!;
  await client.mutate({ mutation: RewriteDocument, variables: { id, rev, patch: { text: 'apollo changed' } } });
  expect(labels()?.slice(0, 3)).toEqual(['apollo three', 'apollo changed', 'apollo one']);

  const { data: found } = await client.query({ query: FoundDocument, variables: { id } });
  expect(found?.node).toMatchObject({ id, label: 'apollo changed' });
  // The cache knows by possibleTypes.json that a Document is a Node.
  expect(client.readFragment({ fragment: ThingFragmentDoc, id: client.cache.identify(found!.node!) })).toEqual({ __typename: 'Document', id });
});

test('the viewer is one object, however it came', async () => {
  const client = await signedIn();
  await client.query({ query: MeDocument });
  await client.mutate({ mutation: RenameDocument, variables: { name: 'Ada of Apollo' } });
  expect(client.readQuery({ query: MeDocument })?.me?.user.name).toBe('Ada of Apollo');
});

test('an error carries what to branch on', async () => {
  const client = await signedIn();
  const error = await client.query({ query: NotesDocument, variables: { first: 1000 } }).then(() => undefined, (e: unknown) => e);
  expect(CombinedGraphQLErrors.is(error)).toBe(true);
  expect((error as CombinedGraphQLErrors).errors[0]?.extensions).toMatchObject({ code: 'PAGE_SIZE', requestId: expect.any(String) });
});
