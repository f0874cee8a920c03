import type { RunId } from '../../schemas/id.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';

/** Whether a run's events may go. */
export function isOver(run: Run | undefined, olderThanMs: number): boolean {
  return run?.status === 'done' && (run.endedAtMs ?? Number.POSITIVE_INFINITY) < olderThanMs;
}

/**
 * How far a log can be evicted from its start: up to the last event of a run that is over, and only while every run met
 * on the way is. 0 for nothing.
 */
export function evictableUpTo(chunks: Iterable<readonly RunEvent[]>, isRunOver: (runId: RunId) => boolean): number {
  const over = new Map<RunId, boolean>();
  let upTo = 0;
  for (const events of chunks) {
    for (const { runId, seq } of events) {
      if (runId === undefined) continue;
      if (!over.has(runId)) over.set(runId, isRunOver(runId));
      if (over.get(runId) !== true) return upTo;
      upTo = seq;
    }
  }
  return upTo;
}
