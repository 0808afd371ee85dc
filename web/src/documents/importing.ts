/** What an import has found, as its job tells. */
export interface ImportResult {
  read: number;
  made: number;
  bad: number;
  refused: string;
  problems: { row: number; pointer: string; message: string }[];
}

/** The format of a file by its name; null for none of those that are known. */
export function formatOf(name: string): 'csv' | 'json' | 'ndjson' | null {
  const end = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (end === 'csv' || end === 'json' || end === 'ndjson') return end;
  return end === 'jsonl' ? 'ndjson' : null;
}

/** How much is done, from 0 to 100. A job that has ended well is done whatever it counted. */
export function percentOf(job: { state: string; done: number; total: number }): number {
  if (job.state === 'DONE') return 100;
  return job.total > 0 ? Math.min(100, (100 * job.done) / job.total) : 0;
}

/** The result of a job, whose shape the schema leaves open. */
export function resultOf(result: unknown): ImportResult {
  const r = (result ?? {}) as { counts?: Record<string, number>; refused?: string; problems?: ImportResult['problems'] };
  return {
    read: r.counts?.['read'] ?? 0,
    made: r.counts?.['made'] ?? 0,
    bad: r.counts?.['bad'] ?? 0,
    refused: r.refused ?? '',
    problems: (r.problems ?? []).map((p) => ({ row: p.row, pointer: p.pointer ?? '', message: p.message })),
  };
}

/** What the server says of a file it does not take. */
export function refusalOf(body: unknown): string {
  const said = (body as { error?: { message?: string } } | null)?.error?.message;
  return said ? `${said[0]?.toUpperCase()}${said.slice(1)}.` : 'The server does not take this file.';
}
