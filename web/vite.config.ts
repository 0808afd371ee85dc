import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  // The workers of the explorer's editor are modules: they share code by import.
  worker: { format: 'es' },
  build: {
    // The editor alone is larger than the limit, and only the explorer loads it.
    chunkSizeWarningLimit: 4000,
    // public/.gitkeep comes back as dist/.gitkeep, which is committed so that the Go package compiles before the first build.
    emptyOutDir: true,
    rolldownOptions: {
      // Of GraphiQL's dependencies, which are compiled already: the directive has done its work.
      onLog: (level, log, report) => log.code !== 'MODULE_LEVEL_DIRECTIVE' && report(level, log),
    },
  },
  server: {
    // changeOrigin stays off: the server compares the Origin of a socket with its Host.
    proxy: { '/graphql': { target: 'http://localhost:8080', ws: true, changeOrigin: false } },
    fs: { allow: ['..'] },
  },
  test: { include: ['src/**/*.test.ts', 'live/**/*.test.ts'], environment: 'node' },
});
