import type { Actor } from '../../schemas/id.ts';
import { claimOf, type Lane, nextDispatch, waitingOn, wakeAtMs } from '../lane/lane.ts';

/** What a thread is found by without reading its lane. */
export interface LaneIndex {
  /** When time alone makes something of it due. */
  readonly wakeAtMs: number | undefined;
  /** Whose dispatch could be claimed as of the lane's last turn, and since when. */
  readonly ready: { readonly actor: Actor; readonly atMs: number } | undefined;
  /** Its open run has a claim or is being ended, or somebody subscribed to it. */
  readonly held: boolean;
  /** How many requests wait: queued, or as pending input. */
  readonly waiting: number;
}

/** A thread nobody has written to. */
export const blankIndex: LaneIndex = { wakeAtMs: undefined, ready: undefined, held: false, waiting: 0 };

/** A dispatch that is not yet available is not ready but due: the turn it is woken for makes it ready. */
export function indexOf(lane: Lane): LaneIndex {
  const next = nextDispatch(lane);
  return {
    wakeAtMs: wakeAtMs(lane),
    ready:
      next !== undefined && next.availableAtMs <= lane.lastMs
        ? { actor: next.actor, atMs: next.availableAtMs }
        : undefined,
    held: claimOf(lane) !== undefined || lane.open?.phase.is === 'ending' || lane.subscriptions !== undefined,
    waiting: waitingOn(lane),
  };
}

/** Whether a search for ready or due threads would find both alike. */
export function isFoundAlike(a: LaneIndex, b: LaneIndex): boolean {
  return a.wakeAtMs === b.wakeAtMs && a.ready?.atMs === b.ready?.atMs && a.ready?.actor === b.ready?.actor;
}
