import type { Fetcher, FetcherOpts } from '@graphiql/toolkit';
import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { type Trace, traced } from './trace';

const trace: Trace = { cached: true, parseMs: 0, validateMs: 0, executeMs: 2, finds: 1, mongoMs: 1, commands: [], omitted: 0 };

async function run(query: string, wanted: boolean, answer: Fetcher) {
  const shown: Trace[] = [];
  let got: FetcherOpts | undefined;
  const fetcher = traced(
    (params, options) => {
      got = options;
      return answer(params, options);
    },
    () => wanted,
    (t) => shown.push(t),
  );
  const given = await fetcher({ query }, { documentAST: parse(query), headers: { 'X-Own': 'a' } });
  const read: unknown[] = [];
  if (Symbol.asyncIterator in given) for await (const a of given) read.push(a);
  else read.push(given);
  return { shown, headers: got?.headers, read };
}

const once: Fetcher = () => Promise.resolve({ data: { a: 1 }, extensions: { trace } });
const parts: Fetcher = async function* () {
  yield [{ data: { a: 1 }, hasNext: false, extensions: { trace } }];
} as unknown as Fetcher;

test.each([
  ['one answer', once],
  ['an answer in parts', parts],
])('%s is passed on and its trace shown', async (_, answer) => {
  const { shown, headers, read } = await run('{ a }', true, answer);
  expect(headers).toEqual({ 'X-Own': 'a', 'X-Trace': '1' });
  expect(shown).toEqual([trace]);
  expect(JSON.stringify(read)).toContain('"a":1');
});

test.each([
  ['nobody wants it', '{ a }', false],
  ['a subscription has none', 'subscription { a }', true],
])('%s', async (_, query, wanted) => {
  const { shown, headers } = await run(query, wanted, once);
  expect(headers).toEqual({ 'X-Own': 'a' });
  expect(shown).toEqual([]);
});

test('what is no trace is not shown', async () => {
  const { shown } = await run('{ a }', true, () => Promise.resolve({ data: null, extensions: {} }));
  expect(shown).toEqual([]);
});
