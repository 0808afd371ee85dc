import type { Fetcher } from '@graphiql/toolkit';
import { parse, type DocumentNode } from 'graphql';

// GraphiQL reads the operations from the text a moment after it has changed. Whoever switches tabs and runs at once would
// send the name of the tab before, and a subscription the way of a query. So both are read anew from what is sent.
export function reading(fetcher: Fetcher): Fetcher {
  return (params, options) => {
    const document = parsed(params.query);
    if (!document) return fetcher(params, options); // the server explains better what is wrong
    return fetcher({ ...params, operationName: operationName(params.operationName, document) }, { ...options, documentAST: document });
  };
}

function parsed(query: string): DocumentNode | null {
  try {
    return parse(query);
  } catch {
    return null;
  }
}

/** The name of the operation that is meant: the one asked for, or the only one. */
export function operationName(asked: string | null | undefined, document: DocumentNode): string | undefined {
  const names = document.definitions.flatMap((d) => (d.kind === 'OperationDefinition' ? [d.name?.value] : []));
  if (asked && names.includes(asked)) return asked;
  return names.length === 1 ? names[0] : undefined;
}
