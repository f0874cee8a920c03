import type { ThreadKey } from '../../schemas/id.ts';
import type { SubscriptionRecord } from '../../schemas/subscription.ts';
import type { Run } from '../../schemas/run.ts';
import type { Standing } from '../../schemas/standing.ts';
import type { Thread } from '../../schemas/thread.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import { subscriptionKey } from '../../src/lane/filing.ts';
import {
  emptyLane,
  type Lane,
  type OpenRun,
  type PendingInput,
  type Phase,
  type QueuedActivation,
  type QueuedRun,
} from '../../src/lane/lane.ts';
import type { Found, Step, Write } from '../../src/lane/records.ts';
import { standingKey } from '../../src/lane/standing.ts';
import type { Claim, Store } from '../../src/mailbox/store.ts';

// Small turns with which the stores are tested: what a store keeps does not depend on what the rules decide.

export type Decide<Result> = (lane: Lane | undefined, found: Found, nowMs: number) => Step<Result>;

export function threadOf(threadId: string, scope = 'local'): ThreadKey {
  return { scope, threadId };
}

export function notice(text: string): EventBody {
  return { type: 'notice', level: 'info', text };
}

/** Puts the text under its own name and adds it to the log; returns its number. */
export function note(thread: ThreadKey, text: string, change: Partial<Lane> = {}): Decide<number> {
  return (lane, _, nowMs) => {
    const seq = (lane?.head ?? 0) + 1;
    return {
      lane: { ...laneOf(thread, lane), ...change, head: seq, lastMs: nowMs },
      writes: [memory(text, text), event(thread, { seq, atMs: nowMs }, notice(text))],
      outcome: seq,
    };
  };
}

/** Changes the lane and nothing else. */
export function change(thread: ThreadKey, to: Partial<Lane>): Decide<void> {
  return (lane, _, nowMs) => ({
    lane: { ...laneOf(thread, lane), ...to, lastMs: nowMs },
    writes: [],
    outcome: undefined,
  });
}

/** Writes records and nothing else. */
export function write(thread: ThreadKey, ...writes: readonly Write[]): Decide<void> {
  return (lane) => ({ lane: laneOf(thread, lane), writes, outcome: undefined });
}

/** Drops the thread, if there is one. */
export function drop(thread: ThreadKey): Decide<void> {
  return (lane) => ({ lane: laneOf(thread, lane), writes: [{ op: 'drop' }], outcome: undefined });
}

/** Adds one to a number that it reads from its record. */
export function count(thread: ThreadKey): Decide<number> {
  return (lane, found, nowMs) => {
    const next = Number(found.find('memory', 'count')?.value ?? 0) + 1;
    return { lane: { ...laneOf(thread, lane), lastMs: nowMs }, writes: [memory('count', next)], outcome: next };
  };
}

export function laneOf(thread: ThreadKey, lane?: Lane): Lane {
  return lane ?? emptyLane(thread.scope, thread.threadId, 'log');
}

export function memory(id: string, value: string | number): Write {
  return { op: 'put', kind: 'memory', id, value: { value } };
}

export function event(thread: ThreadKey, at: { seq: number; atMs: number; runId?: string }, body: EventBody): Write {
  return { op: 'event', event: { ...at, threadId: thread.threadId, ...body } };
}

export function openRun(runId: string, phase: Phase): OpenRun {
  return {
    runId,
    agentId: 'agent',
    recovery: 'rerun',
    takesInput: false,
    actor: 'someone',
    door: 'control',
    attempt: 1,
    failures: 0,
    interruptions: 0,
    turn: 0,
    firstSeq: 1,
    startedBy: [],
    entered: [],
    boundarySeq: 0,
    activations: [],
    tickets: [],
    priority: 0,
    phase,
  };
}

export function running(token: string): Phase {
  return { is: 'running', claim: { token, owner: 'owner' } };
}

/** `requests`: how many it is for. */
export function queuedRun(runId: string, actor: string, availableAtMs: number, requests = 0): QueuedRun {
  const activations = Array.from({ length: requests }, (_, n) => queuedActivation(`${runId}.${n}`));
  return {
    runId,
    agentId: 'agent',
    recovery: 'rerun',
    takesInput: false,
    actor,
    door: 'control',
    activations,
    priority: 0,
    availableAtMs,
    order: 1,
  };
}

function queuedActivation(id: string): QueuedActivation {
  return { id, actor: 'someone', door: 'control', endsAt: 'done', bytes: 0 };
}

export function pendingInput(id: string): PendingInput {
  const of = { agentId: 'agent', recovery: 'rerun', takesInput: false, priority: 0 } as const;
  return { ...queuedActivation(id), ...of, order: 1, bound: false };
}

/** A thread whose open run is claimed. */
export async function claimed(store: Store, thread: ThreadKey, runId = 'run', token = 'token'): Promise<Claim> {
  await store.update(thread, change(thread, { open: openRun(runId, running(token)) }));
  return { thread, runId, attempt: 1, token };
}

/** It is done when it has ended. */
export function runRecord(thread: ThreadKey, id: string, change: Partial<Run> = {}): Write {
  const value: Run = {
    id,
    threadId: thread.threadId,
    agentId: 'agent',
    agentVersion: '1',
    status: change.endedAtMs === undefined ? 'running' : 'done',
    actor: 'someone',
    attempt: 1,
    interruptions: 0,
    activations: [],
    rootRunId: id,
    deliveries: [],
    createdAtMs: 0,
    ...change,
  };
  return { op: 'put', kind: 'run', id, value };
}

export function ticketRecord(thread: ThreadKey, id: string, closed?: Ticket['closed']): Write {
  const value: Ticket = {
    id,
    threadId: thread.threadId,
    runId: 'run',
    rootRunId: 'run',
    key: 'key',
    kind: 'approval',
    text: 'May it?',
    options: [],
    editable: false,
    mayDecide: 'person',
    openedAtMs: 0,
    expiresAtMs: 0,
    onExpiry: 'dismiss',
    secret: false,
    closed,
  };
  return { op: 'put', kind: 'ticket', id, value };
}

/** Given up, if it says when. */
export function subscriptionRecord(thread: ThreadKey, runId: string, diedAtMs?: number): Write {
  const fault = { code: 'upstream-failed', message: 'it answered 500', retryable: true } as const;
  const value: SubscriptionRecord = {
    id: 'hook',
    runId,
    threadId: thread.threadId,
    scope: thread.scope,
    actor: 'someone',
    door: 'control',
    target: { url: 'https://hook.example/' },
    filter: 'status',
    createdAtMs: 0,
    state: diedAtMs === undefined ? { is: 'active' } : { is: 'dead', fault, atMs: diedAtMs, attempts: 1, cursor: 0 },
  };
  return { op: 'put', kind: 'subscription', id: subscriptionKey(value), value };
}

export function standingRecord(thread: ThreadKey, end: string, change: Partial<Standing> = {}): Write {
  const value: Standing = {
    runId: `${thread.threadId}${end}`,
    agentId: 'demo',
    actor: 'someone',
    is: 'completed',
    atMs: 1,
    ...change,
  };
  return { op: 'put', kind: 'standing', id: standingKey(value), value };
}

export function threadRecord(thread: ThreadKey, createdAtMs: number, contextId: string = thread.threadId): Write {
  const { scope, threadId: id } = thread;
  const value: Thread = { scope, id, contextId, settings: { options: {} }, state: {}, metadata: {}, createdAtMs };
  return { op: 'put', kind: 'thread', id: '', value };
}

export async function allEvents(store: Store, thread: ThreadKey, page = 1000): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const next = await store.readEvents(thread, events.at(-1)?.seq ?? 0, page);
    if (next.length === 0) return events;
    events.push(...next);
  }
}

/** The texts of a thread's notices, in the order of its log. */
export async function noticesOf(store: Store, thread: ThreadKey): Promise<string[]> {
  return (await allEvents(store, thread)).flatMap((one) => (one.type === 'notice' ? [one.text] : []));
}

export function inParallel<Result>(times: number, work: (n: number) => Promise<Result>): Promise<Result[]> {
  return Promise.all(Array.from({ length: times }, (_, n) => work(n)));
}
