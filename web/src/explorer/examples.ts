/** What a person may begin with: an operation that runs as it is, on the data of the demo. The server's tests run each. */
export interface Example {
  title: string;
  query: string;
  variables?: string;
}

/** The systems, by what the names of their files begin with. */
export const systems = [
  ['webauth', 'Web authentication'],
  ['sessions', 'Sessions'],
  ['rbac', 'Role hierarchy'],
  ['plans', 'Plans'],
  ['registry', 'Registry'],
  ['analytics', 'Real-time analytics'],
  ['live', 'Live channels'],
] as const;

const queries = import.meta.glob<string>('./examples/*.graphql', { query: '?raw', import: 'default', eager: true });
const variables = import.meta.glob<string>('./examples/*.json', { query: '?raw', import: 'default', eager: true });

/** The examples of each system, in the order of their files. Their first line is their title. */
export const examples: { system: string; examples: Example[] }[] = systems.map(([prefix, system]) => ({
  system,
  examples: Object.keys(queries)
    .filter((path) => path.startsWith(`./examples/${prefix}-`))
    .toSorted()
    .map((path) => {
      const query = queries[path] ?? '';
      const values = variables[path.replace(/graphql$/, 'json')];
      return { title: query.slice(2, query.indexOf('\n')), query, ...(values && { variables: values.trim() }) };
    }),
}));

/** The tabs of the first visit: one for each system. */
export const firstTabs: Example[] = examples.flatMap((of) => of.examples.slice(0, 1));
