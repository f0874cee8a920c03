import type { RunId } from '../../schemas/id.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { deliveredUpTo, type Lane } from '../lane/lane.ts';

/** Whether a run's events may go. */
export function isOver(run: Run | undefined, olderThanMs: number): boolean {
  return run?.status === 'done' && (run.endedAtMs ?? Number.POSITIVE_INFINITY) < olderThanMs;
}

/**
 * How far a log can be evicted from its start: up to the last event of a run that is over, and only while every run met
 * on the way is. Nothing above what the thread's subscriptions have delivered, and nothing of the runs that they follow,
 * whose view goes with what is delivered. 0 for nothing.
 */
export function evictableUpTo(
  chunks: Iterable<readonly RunEvent[]>,
  lane: Pick<Lane, 'subscriptions'>,
  isRunOver: (runId: RunId) => boolean,
): number {
  const bound = deliveredUpTo(lane) ?? Number.POSITIVE_INFINITY;
  const over = new Map<RunId, boolean>(lane.subscriptions?.map((one) => [one.runId, false]));
  let upTo = 0;
  for (const events of chunks) {
    for (const { runId, seq } of events) {
      if (seq > bound) return upTo;
      if (runId === undefined) continue;
      if (!over.has(runId)) over.set(runId, isRunOver(runId));
      if (over.get(runId) !== true) return upTo;
      upTo = seq;
    }
  }
  return upTo;
}
