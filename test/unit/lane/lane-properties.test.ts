import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../support/checker.ts';
import { LaneDriver } from '../../support/lane-driver.ts';
import { LaneModel } from '../../support/lane-model.ts';
import { anyMove, LanePlay } from '../../support/lane-moves.ts';

const seed = Number(process.env['LANE_SEED'] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env['LANE_RUNS'] ?? 400);

describe('any sequence of commands', () => {
  it(
    'keeps the invariants of a thread at every step, and ends with every accepted run done',
    { tags: ['one-run-at-a-time', 'ended-run-is-not-reused'] },
    async () => {
      console.info(`LANE_SEED=${seed}`);
      let steps = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(anyMove, { maxLength: 130, size: 'max' }), async (moves) => {
          const push = { perRun: 3, perThread: 6, maxAttempts: 3, backoffBaseMs: 1000, backoffCapMs: 5000 };
          const driver = new LaneDriver({ maxAttempts: 3, maxInterruptions: 3, queuePerThread: 6, push });
          const model = new LaneModel(driver);
          const play = new LanePlay(model);
          for (const move of moves) play.play(move);
          expect(await checkStore(driver.reader(), ['local'])).toEqual([]);
          model.quiesce();
          expect(await checkStore(driver.reader(), ['local'])).toEqual([]);
          steps += model.steps;
        }),
        { seed, numRuns },
      );
      expect(steps).toBeGreaterThan(50 * numRuns);
    },
  );
});
