// One server for all samples: the real binary with its demo.
import type { TestProject } from 'vitest/node';
import { startServer } from '../../e2e/server.mjs';

declare module 'vitest' {
  export interface ProvidedContext {
    server: { url: string; email: string; password: string };
  }
}

export default async function setup(project: TestProject) {
  if (process.env.BASE_URL === '/') delete process.env.BASE_URL; // Vite's, and not the server a tester names
  const { stop, email, password, url } = await startServer();
  project.provide('server', { url: `${url}/graphql`, email, password });
  return stop;
}
