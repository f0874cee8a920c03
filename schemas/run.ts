import * as z from 'zod';
import { ActivationId, Actor, AgentId, ItemId, MessageId, RunId, ThreadId } from './id.ts';
import { FaultRecord } from './fault.ts';
import { Json } from './json.ts';

/** Why a run that nobody failed did not complete. */
export const CancelReason = z.enum(['cancelled', 'interrupted', 'superseded', 'shutdown', 'agent']);
export type CancelReason = z.infer<typeof CancelReason>;

export const Completed = z.object({
  type: z.literal('completed'),
  stop: z.enum(['end_turn', 'max_tokens', 'max_turns', 'timeout', 'refusal']),
  /** Tool calls left to the client, in call order. */
  pendingToolCalls: z.array(ItemId),
  result: Json.optional(),
});
export type Completed = z.infer<typeof Completed>;

/** How a run ended. */
export const Outcome = z.discriminatedUnion('type', [
  Completed,
  z.object({ type: z.literal('cancelled'), by: z.union([Actor, z.literal('agent')]), reason: CancelReason }),
  z.object({ type: z.literal('failed'), fault: FaultRecord, retryable: z.boolean() }),
]);
export type Outcome = z.infer<typeof Outcome>;

/** An ended dispatch: how one entry in the lane's queue was consumed. History; no rule reads it. */
export const Delivery = z.object({
  how: z.enum(['acked', 'cancelled', 'superseded', 'dead']),
  attempt: z.number().int().nonnegative(),
  atMs: z.number(),
  /** Of the claim that consumed it, if one did. */
  token: z.string().optional(),
});
export type Delivery = z.infer<typeof Delivery>;

/** The truth of one execution. */
export const Run = z.object({
  id: RunId,
  threadId: ThreadId,
  agentId: AgentId,
  agentVersion: z.string(),
  status: z.enum(['created', 'running', 'waiting', 'done']),
  actor: Actor,
  attempt: z.number().int().nonnegative(),
  interruptions: z.number().int().nonnegative(),
  /** The message it started from: the end of the history it was told. Absent: the thread was empty. */
  baseId: MessageId.optional(),
  /** Its last final message. */
  headId: MessageId.optional(),
  activations: z.array(ActivationId),
  continues: RunId.optional(),
  parentRunId: RunId.optional(),
  rootRunId: RunId,
  retryOf: RunId.optional(),
  /** What was done about it after it had failed for good. */
  setAside: z
    .discriminatedUnion('how', [
      z.object({ how: z.literal('redriven'), runId: RunId, by: Actor, atMs: z.number() }),
      z.object({ how: z.literal('discarded'), by: Actor, atMs: z.number() }),
    ])
    .optional(),
  deliveries: z.array(Delivery),
  /** The numbers of its first and last event. */
  firstSeq: z.number().int().optional(),
  lastSeq: z.number().int().optional(),
  createdAtMs: z.number(),
  /** What it waits for, or waited for last, and since when. */
  waited: z.object({ for: z.enum(['answer', 'sign-in']), sinceMs: z.number() }).optional(),
  endedAtMs: z.number().optional(),
  outcome: Outcome.optional(),
});
export type Run = z.infer<typeof Run>;
