import type { Fetcher } from '@graphiql/toolkit';
import { getOperationAST } from 'graphql';

/** What an operation did, as the server tells those who may know; see docs/operations/observability.md. */
export interface Trace {
  /** Why there is nothing else; absent when there is. */
  code?: string;
  cached: boolean;
  parseMs: number;
  validateMs: number;
  executeMs: number;
  finds: number;
  mongoMs: number;
  commands: { command: string; collection?: string; atMs: number; ms: number; failed?: boolean }[];
  omitted: number;
}

/**
 * A fetcher that asks for the trace of queries and mutations while it is wanted, and shows it. Subscriptions have none, and their
 * answers are left alone: a wrapper would keep an idle one from being ended.
 */
export function traced(fetcher: Fetcher, wanted: () => boolean, show: (trace: Trace) => void): Fetcher {
  return (params, options) => {
    const operation = options?.documentAST && getOperationAST(options.documentAST, params.operationName);
    if (!wanted() || params.operationName === 'IntrospectionQuery' || operation?.operation === 'subscription') {
      return fetcher(params, options);
    }
    return seen(fetcher(params, { ...options, headers: { ...options?.headers, 'X-Trace': '1' } }), show);
  };
}

function seen(answer: ReturnType<Fetcher>, show: (trace: Trace) => void): ReturnType<Fetcher> {
  if (answer instanceof Promise) {
    return answer.then((a: unknown) => {
      if (isIterable(a)) return each(a, show);
      note(a, show);
      return a;
    }) as ReturnType<Fetcher>;
  }
  return isIterable(answer) ? (each(answer, show) as ReturnType<Fetcher>) : answer;
}

async function* each(answers: AsyncIterable<unknown>, show: (trace: Trace) => void): AsyncGenerator {
  for await (const a of answers) {
    note(a, show);
    yield a;
  }
}

function isIterable(a: unknown): a is AsyncIterable<unknown> {
  return typeof a === 'object' && a !== null && Symbol.asyncIterator in a;
}

function note(answer: unknown, show: (trace: Trace) => void): void {
  const parts: unknown[] = Array.isArray(answer) ? answer : [answer];
  for (const part of parts) {
    const trace = (part as { extensions?: { trace?: Trace } } | null)?.extensions?.trace;
    if (trace) show(trace);
  }
}
