import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { behaviours, type BehaviourId } from './test/behaviours.ts';

/** Tests of whole processes last longest and often wait: they come first, and the others fill their pauses. */
class ProcessesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const [processes, others]: [TestSpecification[], TestSpecification[]] = [[], []];
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of the sequencer
    for (const file of await super.sort(files)) {
      (file.moduleId.includes('/test/e2e/') ? processes : others).push(file);
    }
    return [...processes, ...others];
  }
}

export default defineConfig({
  resolve: {
    alias: {
      // A thread runs without what lets tests run from TypeScript, and starts in a quarter of the time when it is compiled.
      './sqlite-worker-file.ts': fileURLToPath(new URL('dist/src/stores/sqlite-worker-file.js', import.meta.url)),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/build.ts',
    pool: 'forks',
    // Tests often wait, for a disk, a timer or a child process: one more than there are cores keeps these busy.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: ProcessesFirst },
    // How long something takes is no judgement, and a process that starts in half a second may take ten where all wait for
    // two cores. Gateways and browsers start in hooks too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    tags: Object.entries(behaviours).map(([name, { says }]) => ({ name: name as BehaviourId, description: says })),
    reporters: process.env['CI'] ? ['default', 'json'] : ['default'],
    outputFile: { json: 'coverage/tests.json' },
    coverage: { provider: 'v8', include: ['src/**', 'adapters/**', 'schemas/**'] },
  },
});
