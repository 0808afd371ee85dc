import { expect, test } from 'vitest';

import { fetchAs, leave, signInAs } from './identity';

function server(answer: object) {
  const asked: { credentials: string | undefined; authorization: string | null; body: string }[] = [];
  const send = ((_: string, init: RequestInit) => {
    const authorization = new Headers(init.headers).get('Authorization');
    asked.push({ credentials: init.credentials, authorization, body: init.body as string });
    return Promise.resolve(Response.json(answer));
  }) as typeof fetch;
  return { asked, send };
}

test('the cookie goes along for the own session alone, the token for somebody else alone', async () => {
  const { asked, send } = server({});
  for (const identity of [{ kind: 'session' }, { kind: 'nobody' }, { kind: 'other', name: 'E', token: 't', session: 's' }] as const) {
    await fetchAs(identity, send)('/graphql', { body: '' });
  }
  expect(asked.map((a) => [a.credentials, a.authorization])).toEqual([
    [undefined, null],
    ['omit', null],
    ['omit', 'Bearer t'],
  ]);
});

test('signing in asks for a token without the cookie, and leaving ends that session', async () => {
  const { asked, send } = server({ data: { signIn: { result: { __typename: 'SignedIn', token: 't', user: { name: 'Edda' }, session: { id: 's' } } } } });
  const identity = await signInAs('e@example.com', 'secret', send);
  expect(identity).toEqual({ kind: 'other', name: 'Edda', token: 't', session: 's' });
  await leave(identity, send);
  await leave({ kind: 'session' }, send);
  expect(asked.map((a) => [a.credentials, a.authorization])).toEqual([
    ['omit', null],
    ['omit', 'Bearer t'],
  ]);
  expect(asked[0]?.body).toContain('"transport":"BEARER"');
  expect(asked[1]?.body).toContain('"variables":{"input":{"session":"s"}}');
});

test('what stands in the way is told in words', async () => {
  await expect(signInAs('e', 'x', server({ errors: [{ message: 'wrong' }] }).send)).rejects.toThrow('wrong');
  const more = server({ data: { signIn: { result: { __typename: 'FactorRequired' } } } });
  await expect(signInAs('e', 'x', more.send)).rejects.toThrow('FactorRequired');
});
