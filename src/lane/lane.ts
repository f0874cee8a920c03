import type { Outcome } from '../../schemas/run.ts';
import type {
  ActivationId,
  Actor,
  AgentId,
  Door,
  MessageId,
  RunId,
  Scope,
  ThreadId,
  TicketId,
} from '../../schemas/id.ts';

/** All that decides what may happen next on a thread, as ids, sizes and states. Finished things leave it. */
export interface Lane {
  readonly scope: Scope;
  readonly threadId: ThreadId;
  /** The generation of the log; a deleted and recreated thread gets another. */
  readonly logId: string;
  /** The last number given to an event; 0 for none. */
  readonly head: number;
  /** The store's time of the last turn; time never goes below it. */
  readonly lastMs: number;
  /** How many places in the queue were given out. */
  readonly orders: number;
  /** How many messages entered the thread. */
  readonly messages: number;
  /** The end of the branch that the next run continues. */
  readonly headId?: MessageId | undefined;
  /** Runs that have not started. */
  readonly queue: readonly QueuedRun[];
  /** The run that holds the lane, from its first claim to its end. */
  readonly open?: OpenRun | undefined;
  /** Steered input the open run has not taken. */
  readonly inputs: readonly PendingInput[];
  /** Subscriptions that have something left to deliver, now or later; absent where nobody subscribed. */
  readonly subscriptions?: readonly LaneSubscription[] | undefined;
  /** The last ended run and the client calls it left, until a later run takes their results. */
  readonly left?: { readonly runId: RunId; readonly toolCallIds: readonly string[] } | undefined;
}

export interface QueuedActivation {
  readonly id: ActivationId;
  readonly actor: Actor;
  readonly door: Door;
  readonly endsAt: 'waiting' | 'done';
  /** Bytes of its request, for limits. */
  readonly bytes: number;
}

export interface QueuedRun {
  readonly runId: RunId;
  readonly agentId: AgentId;
  readonly recovery: Recovery;
  readonly takesInput: boolean;
  /** Whose turn it is, for fairness; the actor of its first activation. */
  readonly actor: Actor;
  readonly door: Door;
  readonly activations: readonly QueuedActivation[];
  /** Lower goes first. */
  readonly priority: number;
  readonly availableAtMs: number;
  readonly order: number;
  /** The message it branches from; `root` starts a new root; absent: the thread's head when it starts. */
  readonly base?: { readonly at: MessageId } | 'root' | undefined;
}

/** See AgentCard.recovery. */
export type Recovery = 'rerun' | 'resume' | 'fail';

export interface AttachedActivation extends QueuedActivation {
  readonly fromSeq: number;
}

/** The right to execute. The token is the only fence of its writes. */
export interface LaneClaim {
  readonly token: string;
  readonly owner: string;
}

/**
 * Where the open run is:
 * - `ready`: its dispatch is queued: a retry in backoff, a resume, or released by a stopping process
 * - `running`: claimed and executing
 * - `waiting`: claimed, its process state kept, for a person's answer
 * - `parked`: waiting without a process
 * - `stopping`: claimed, told to stop; the token holds until it settles or the grace ends
 * - `ending`: its outcome is decided and nobody holds it; what it wrote is still to be gathered into messages
 */
export type Phase =
  | { readonly is: 'ready'; readonly availableAtMs: number }
  | { readonly is: 'running'; readonly claim: LaneClaim }
  /** `parkAtMs` undefined: its agent cannot be run again, so its process is kept for as long as it lives. */
  | { readonly is: 'waiting'; readonly claim: LaneClaim; readonly parkAtMs: number | undefined }
  | { readonly is: 'parked' }
  | { readonly is: 'stopping'; readonly claim: LaneClaim; readonly outcome: Outcome; readonly graceEndsAtMs: number }
  | { readonly is: 'ending'; readonly outcome: Outcome };

export interface OpenTicket {
  readonly id: TicketId;
  /** The journal key of the `ask` that opened it; an ask is answered when none of its tickets is open. */
  readonly key: string;
  readonly expiresAtMs: number;
}

export interface OpenRun {
  readonly runId: RunId;
  readonly agentId: AgentId;
  readonly recovery: Recovery;
  readonly takesInput: boolean;
  readonly actor: Actor;
  readonly door: Door;
  /** Executions so far, from 1 with the first claim. */
  readonly attempt: number;
  /** Attempts that the agent failed. */
  readonly failures: number;
  /** Attempts whose owner was lost. */
  readonly interruptions: number;
  /** How often bound input continued it after it had ended its turn; part of its journal's keys. */
  readonly turn: number;
  /** The message that its own first one hangs on. */
  readonly baseId?: MessageId | undefined;
  readonly firstSeq: number;
  /** The activations whose messages the agent was called with; later ones were taken into its turn. */
  readonly startedBy: readonly ActivationId[];
  /** Messages that came along with answers, while the agent was not asking for input. */
  readonly entered: readonly MessageId[];
  /** What was recorded up to here is final: a new attempt keeps it. */
  readonly boundarySeq: number;
  readonly activations: readonly AttachedActivation[];
  readonly tickets: readonly OpenTicket[];
  readonly priority: number;
  readonly phase: Phase;
  /** What people changed on the thread while the run is open, by the number of the last event that says so. */
  readonly patched?: Partial<Readonly<Record<PatchedField, number>>> | undefined;
}

/** What of a thread people and its agent may both change. */
export const patchedFields = ['title', 'settings', 'workspace'] as const;
export type PatchedField = (typeof patchedFields)[number];

export interface PendingInput extends QueuedActivation {
  readonly order: number;
  /** The agent a run of its own would have, if the open run does not take it. */
  readonly agentId: AgentId;
  readonly recovery: Recovery;
  readonly takesInput: boolean;
  readonly priority: number;
  /** If its run ends without taking it, it continues that run instead of starting one. */
  readonly bound: boolean;
}

/**
 * A subscription where it moves: followed by whoever has its claim; without one it is to be claimed, after `wakeAtMs`
 * where sending has failed.
 */
export interface LaneSubscription {
  /** Of its record; see `subscriptionKey`. */
  readonly id: string;
  readonly runId: RunId;
  /** The last number that was delivered or passed over. */
  readonly cursor: number;
  /** Failures since the last delivery. */
  readonly attempts: number;
  readonly wakeAtMs?: number | undefined;
  readonly claim?: LaneClaim | undefined;
}

export function emptyLane(scope: Scope, threadId: ThreadId, logId: string): Lane {
  return { scope, threadId, logId, head: 0, lastMs: 0, orders: 0, messages: 0, queue: [], inputs: [] };
}

/** How many requests wait on the thread: queued, or pending input. */
export function waitingOn({ queue, inputs }: Lane): number {
  return queue.reduce((sum, run) => sum + run.activations.length, inputs.length);
}

/** What waits, in the order in which it will be taken. */
export function inOrder({ queue, inputs }: Lane): ActivationId[] {
  const pending = inputs.toSorted((a, b) => a.order - b.order).map((input) => input.id);
  const runs = queue.toSorted((a, b) => (goesBefore(a, b) ? -1 : 1));
  return [...pending, ...runs.flatMap((run) => run.activations.map((one) => one.id))];
}

/** The claim that the open run is executed under, if any. */
export function claimOf(lane: Lane): LaneClaim | undefined {
  const phase = lane.open?.phase;
  return phase !== undefined && 'claim' in phase ? phase.claim : undefined;
}

/** The dispatch that would be claimed next: the open run's own, or the first of the queue. */
export function nextDispatch(lane: Lane): { readonly availableAtMs: number; readonly actor: Actor } | undefined {
  if (lane.open !== undefined) {
    const { phase, actor } = lane.open;
    return phase.is === 'ready' ? { availableAtMs: phase.availableAtMs, actor } : undefined;
  }
  return firstOf(lane.queue);
}

export function firstOf(queue: readonly QueuedRun[]): QueuedRun | undefined {
  let first: QueuedRun | undefined;
  for (const run of queue) if (first === undefined || goesBefore(run, first)) first = run;
  return first;
}

/** By place alone inside a priority: whoever was moved, or put back where its first input stood, goes by that. */
function goesBefore(a: QueuedRun, b: QueuedRun): boolean {
  return a.priority === b.priority ? a.order < b.order : a.priority < b.priority;
}

/** When something on this lane becomes due by time alone: a backoff, a grace, an expiry, a parking, a webhook's retry. */
export function wakeAtMs(lane: Lane): number | undefined {
  const times: number[] = [];
  const open = lane.open;
  if (open !== undefined) {
    const stops = open.phase.is === 'stopping' || open.phase.is === 'ending';
    if (!stops) for (const ticket of open.tickets) times.push(ticket.expiresAtMs);
    if (open.phase.is === 'stopping') times.push(open.phase.graceEndsAtMs);
    if (open.phase.is === 'waiting' && open.phase.parkAtMs !== undefined) times.push(open.phase.parkAtMs);
  }
  const next = nextDispatch(lane);
  if (next !== undefined && next.availableAtMs > lane.lastMs) times.push(next.availableAtMs);
  if (lane.subscriptions !== undefined) {
    for (const { wakeAtMs: at } of lane.subscriptions) if (at !== undefined && at > lane.lastMs) times.push(at);
  }
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What a log is kept from, for subscriptions that have not delivered it: evict nothing above; undefined for no bound. */
export function deliveredUpTo(lane: Pick<Lane, 'subscriptions'>): number | undefined {
  const { subscriptions = [] } = lane;
  return subscriptions.length === 0 ? undefined : Math.min(...subscriptions.map(({ cursor }) => cursor));
}
