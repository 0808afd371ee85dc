import type { FetcherOpts, FetcherParams } from '@graphiql/toolkit';
import { expect, test } from 'vitest';
import { reading } from './operation';

function sent(params: FetcherParams): { params: FetcherParams; options: FetcherOpts | undefined } {
  let got: { params: FetcherParams; options: FetcherOpts | undefined } | undefined;
  void reading((p, options) => {
    got = { params: p, options };
    return Promise.resolve({});
  })(params);
  if (!got) throw new Error('nothing was sent');
  return got;
}

test.each([
  ['the name of another tab gives way to the only operation', 'query A { me { user { id } } }', 'B', 'A'],
  ['an unnamed operation needs none', '{ me { user { id } } }', 'B', undefined],
  ['a name of the document stays', 'query A { __typename } query B { __typename }', 'B', 'B'],
  ['among several the server asks for a choice', 'query A { __typename } query B { __typename }', 'C', undefined],
  ['what does not parse is sent as it is', 'query {', 'B', 'B'],
])('%s', (_, query, operationName, want) => {
  expect(sent({ query, operationName }).params.operationName).toBe(want);
});

test('the way is chosen by the document that is sent', () => {
  const { options } = sent({ query: 'subscription S { live(channels: []) { seq } }', operationName: 'Me' });
  expect(options?.documentAST?.definitions[0]).toMatchObject({ operation: 'subscription' });
});
