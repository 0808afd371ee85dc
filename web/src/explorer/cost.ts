import { type DocumentNode, parse } from 'graphql';

import { operationName } from './operation';

/** What the server would charge for an operation, as it tells without executing it: see docs/graphql.md. */
export interface Cost {
  requested: number;
  allowed: number;
  /** Of what the plan allows in a minute. */
  remaining?: number;
  /** The way down to most of it. */
  dearest?: { field: string; size: number; cost: number }[];
}

/** Why an operation would not be executed. */
export interface Refusal {
  code: string;
  message: string;
  cost?: number;
  limit?: number;
}

export type Priced = { cost: Cost } | { refusal: Refusal };

/** An operation as it stands in the editors. */
export interface Draft {
  query: string;
  variables: string;
  operationName: string | null;
}

interface Answer {
  errors?: { message: string; extensions: Omit<Refusal, 'message'> }[];
  extensions?: { cost?: Cost };
}

/** Asks what a draft would cost. Null while it cannot be read: the editor says why. */
export async function price(draft: Draft, readVariables: (text: string) => unknown, ask: typeof fetch, signal: AbortSignal): Promise<Priced | null> {
  let document: DocumentNode;
  let variables: unknown;
  try {
    document = parse(draft.query);
    variables = readVariables(draft.variables);
  } catch {
    return null;
  }
  const named = operationName(draft.operationName, document);
  if (!named && document.definitions.length > 1) return null; // which of them is chosen when it is run
  const response = await ask('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-Cost': 'only' },
    body: JSON.stringify({ query: draft.query, variables, operationName: named }),
    signal,
  });
  const { errors, extensions } = (await response.json()) as Answer;
  const [error] = errors ?? [];
  if (error) return { refusal: { ...error.extensions, message: error.message } };
  return extensions?.cost ? { cost: extensions.cost } : null;
}

/** The way down as text, such as `documents × 50 › backlinks × 5`; what multiplies nothing is left out at its end. */
export function wayOf(dearest: Cost['dearest'] = []): string {
  const last = dearest.findLastIndex((step) => step.size > 1);
  return dearest
    .slice(0, last + 1)
    .map(({ field, size }) => (size > 1 ? `${field} × ${size}` : field))
    .join(' › ');
}
