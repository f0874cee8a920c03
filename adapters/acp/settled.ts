import type { Clock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';

/** Resolves when all of these have settled, and after `ms` in any case. */
export async function settledWithin(promises: Iterable<Promise<unknown>>, clock: Clock, ms: number): Promise<void> {
  const late = deferred();
  const cancel = clock.at(clock.now() + ms, late.resolve);
  await Promise.race([Promise.allSettled(promises), late.promise]);
  cancel();
}
