import { transformAsync } from '@babel/core';
import { defineConfig, type Plugin } from 'vitest/config';

/** Puts what relay-compiler made in the place of each graphql`…`, as in any build with Relay. */
const relay: Plugin = {
  name: 'relay',
  enforce: 'pre',
  async transform(code, id) {
    if (!id.includes('/src/relay/')) return null;
    const done = await transformAsync(code, { filename: id, plugins: ['relay'], parserOpts: { plugins: ['typescript'] }, babelrc: false });
    return done?.code ?? null;
  },
};

export default defineConfig({
  plugins: [relay],
  // One file after the other: they write to the same list.
  test: { include: ['test/**/*.test.ts'], globalSetup: 'test/setup.ts', fileParallelism: false, testTimeout: 30_000, hookTimeout: 120_000 },
});
