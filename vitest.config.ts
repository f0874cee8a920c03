import { defineConfig } from 'vitest/config';
import { behaviours, type BehaviourId } from './test/behaviours.ts';

// Code under test starts its workers from the file beside it, `.ts` here and `.js` in dist.
// Threads inherit these arguments, so workers run from TypeScript as the tests do.
const execArgv = ['--import', new URL('./scripts/typescript.mjs', import.meta.url).href];

export default defineConfig({
  test: {
    pool: 'forks',
    // Most of the time a test waits for a disk, a timer or a child process: every core may have one.
    maxWorkers: '100%',
    execArgv,
    testTimeout: 30_000,
    tags: Object.entries(behaviours).map(([name, { says }]) => ({ name: name as BehaviourId, description: says })),
    reporters: process.env['CI'] ? ['default', 'json'] : ['default'],
    outputFile: { json: 'coverage/tests.json' },
    coverage: { provider: 'v8', include: ['src/**', 'adapters/**', 'schemas/**'] },
    projects: [
      {
        extends: true,
        test: { name: 'source', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] },
      },
      {
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], globalSetup: 'test/support/build.ts' },
      },
    ],
  },
});
