import { commitMutation, createOperationDescriptor, fetchQuery, getRequest, getSingularSelector, type Environment, type Variables } from 'relay-runtime';
import { expect, inject, test } from 'vitest';
import pageQuery from '../generated/relay/notesPageQuery.graphql.ts';
import { relay } from '../src/relay.ts';
import * as notes from '../src/relay/notes.ts';

const { url, email, password } = inject('server');

async function signIn() {
  const query = 'mutation ($i: String!, $p: String!) { signIn(input: { identifier: $i, password: $p, transport: BEARER }) { result { ... on SignedIn { token } } } }';
  const body = JSON.stringify({ query, variables: { i: email, p: password } });
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return (await response.json()).data.signIn.result.token as string;
}

const commit = (environment: Environment, mutation: never, variables: Variables) =>
  new Promise<any>((onCompleted, onError) => commitMutation(environment, { mutation, variables, onCompleted, onError }));

/** What a component with the list's fragment would be shown. */
function shown(environment: Environment) {
  const operation = createOperationDescriptor(getRequest(notes.query), {});
  environment.retain(operation);
  const owner = environment.lookup(operation.fragment).data;
  const { data } = environment.lookup(getSingularSelector(notes.list as never, owner)!) as any;
  return data.documents as { __id: string; edges: { node: { id: string; label: string } }[]; pageInfo: { endCursor: string; hasNextPage: boolean } };
}

test('pages a connection, adds to it, takes from it, and refetches a node', async () => {
  const token = await signIn();
  const environment = relay(url, () => token);
  for (const text of ['relay one', 'relay two', 'relay three']) await commit(environment, notes.write as never, { data: { text }, connections: [] });

  await fetchQuery(environment, notes.query, {}).toPromise();
  const labels = () => shown(environment).edges.map((edge) => edge.node.label);
  expect(labels()).toEqual(['relay three', 'relay two']);

  const { __id, pageInfo } = shown(environment);
  expect(pageInfo.hasNextPage).toBe(true);
  await fetchQuery(environment, pageQuery, { count: 2, cursor: pageInfo.endCursor }).toPromise();
  expect(labels().slice(0, 3)).toEqual(['relay three', 'relay two', 'relay one']);

  const { createDocument } = await commit(environment, notes.write as never, { data: { text: 'relay four' }, connections: [__id] });
  expect(labels()[0]).toBe('relay four');

  const { id } = createDocument.document;
  const found = (await fetchQuery(environment, notes.note, { id }).toPromise()) as any;
  expect(found.node).toMatchObject({ __typename: 'Document', id, data: { text: 'relay four' } });

  await commit(environment, notes.remove as never, { id, connections: [__id] });
  expect(labels()[0]).toBe('relay three');
});
