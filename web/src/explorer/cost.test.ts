import { expect, test } from 'vitest';

import { type Draft, price, wayOf } from './cost';

const draft: Draft = { query: '{ me { user { id } } }', variables: '', operationName: null };
const read = (text: string) => (text ? (JSON.parse(text) as unknown) : undefined);
const { signal } = new AbortController();

function server(answer: object) {
  const asked: unknown[] = [];
  const ask = ((_: string, init: RequestInit) => {
    asked.push({ ...(JSON.parse(init.body as string) as object), only: new Headers(init.headers).get('X-Cost') });
    return Promise.resolve(Response.json(answer));
  }) as typeof fetch;
  return { asked, ask };
}

test('a draft is priced by the operation that would run', async () => {
  const { asked, ask } = server({ data: null, extensions: { cost: { requested: 3, allowed: 100 } } });
  const two: Draft = { query: 'query A { me { permissions } } query B($n: Int) { me { permissions } }', variables: '{"n": 1}', operationName: 'B' };
  expect(await price(two, read, ask, signal)).toEqual({ cost: { requested: 3, allowed: 100 } });
  expect(asked).toEqual([{ query: two.query, variables: { n: 1 }, operationName: 'B', only: 'only' }]);
});

test('what cannot be read is not asked', async () => {
  const { asked, ask } = server({});
  expect(await price({ ...draft, query: '{ me {' }, read, ask, signal)).toBeNull();
  expect(await price({ ...draft, variables: '{"n":' }, read, ask, signal)).toBeNull();
  expect(await price({ ...draft, query: 'query A { me { permissions } } query B { me { permissions } }' }, read, ask, signal)).toBeNull();
  expect(asked).toEqual([]);
});

test('a refusal is told by its code', async () => {
  const { ask } = server({ errors: [{ message: 'too much', extensions: { code: 'QUERY_TOO_COMPLEX', cost: 200, limit: 100 } }] });
  expect(await price(draft, read, ask, signal)).toEqual({ refusal: { code: 'QUERY_TOO_COMPLEX', message: 'too much', cost: 200, limit: 100 } });
});

test('the way down ends where nothing is multiplied any more', () => {
  const steps = [
    { field: 'documents', size: 50, cost: 402 },
    { field: 'nodes', size: 1, cost: 401 },
    { field: 'backlinks', size: 5, cost: 7 },
    { field: 'nodes', size: 1, cost: 6 },
  ];
  expect(wayOf(steps)).toBe('documents × 50 › nodes › backlinks × 5');
  expect(wayOf([{ field: 'me', size: 1, cost: 3 }])).toBe('');
});
