import * as z from 'zod';
import { ActivationId, Actor, Door, ItemId, MessageId, RunId, ThreadId, TicketId } from './id.ts';
import { AgentCommand } from './agent-card.ts';
import { FaultRecord } from './fault.ts';
import { Json, JsonObject, JsonPatch } from './json.ts';
import { Message, Role } from './message.ts';
import { Part } from './part.ts';
import { Completed, Outcome } from './run.ts';
import { Decision, Ticket, TicketClosed } from './ticket.ts';
import { Workspace, ThreadSettings } from './thread.ts';

/** What an agent may put on any of its events. */
const tags = {
  subagentId: z.string().optional(),
  metadata: JsonObject.optional(),
  /** The upstream's own event, for doors that pass it on. */
  raw: Json.optional(),
};

const event = <const Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ type: z.literal(type), ...shape, ...tags });

const callStatus = z.enum(['ok', 'error', 'denied', 'cancelled']);

export const PlanEntry = z.object({
  content: z.string(),
  priority: z.enum(['high', 'medium', 'low']),
  status: z.enum(['pending', 'in_progress', 'completed']),
});
export type PlanEntry = z.infer<typeof PlanEntry>;

const location = z.object({ path: z.string(), line: z.number().int().optional() });

export const ToolKind = z.enum([
  'read',
  'edit',
  'delete',
  'move',
  'search',
  'execute',
  'think',
  'fetch',
  'switch_mode',
  'other',
]);
export type ToolKind = z.infer<typeof ToolKind>;

/** Tokens of one provider's model. `cached` and `cacheWrite` are part of `input`, `reasoning` of `output`. Absent is unknown, not 0. */
export const TokenUsage = z.object({
  input: z.number().int().optional(),
  output: z.number().int().optional(),
  cached: z.number().int().optional(),
  cacheWrite: z.number().int().optional(),
  reasoning: z.number().int().optional(),
});
export type TokenUsage = z.infer<typeof TokenUsage>;

/**
 * What an agent yields. Items (text, reasoning, tool, artifact, plan, activity) are built by a start, deltas and an end
 * under one item id; ids come from `context.id(key)` and are stable over attempts.
 */
const agentEvents = [
  event('text.started', { id: ItemId, role: Role, name: z.string().optional() }),
  event('text.delta', { id: ItemId, delta: z.string() }),
  event('text.ended', { id: ItemId }),
  /** A part that is not text, on a message that is open. */
  event('part.added', { messageId: ItemId, part: Part }),
  event('reasoning.started', { id: ItemId, spanId: z.string().optional() }),
  event('reasoning.delta', { id: ItemId, delta: z.string() }),
  event('reasoning.ended', { id: ItemId }),
  event('encrypted', {
    entity: z.enum(['message', 'tool-call']),
    id: ItemId,
    value: z.string(),
    provider: z.string().optional(),
  }),
  event('tool.started', {
    id: ItemId,
    name: z.string(),
    title: z.string().optional(),
    kind: ToolKind.optional(),
    locations: z.array(location).optional(),
    /** The assistant message it belongs to. */
    parentMessageId: ItemId.optional(),
    /** `client`: a tool that the caller offered; its result comes with a later turn. */
    runBy: z.enum(['agent', 'client', 'provider']),
    /** What the agent calls it upstream, if not `id`. */
    agentCallId: z.string().optional(),
  }),
  event('tool.args', { id: ItemId, delta: z.string() }),
  /** The arguments are complete; `args` is the whole JSON text. */
  event('tool.called', { id: ItemId, args: z.string() }),
  event('tool.updated', {
    id: ItemId,
    status: z.enum(['pending', 'in_progress']).optional(),
    title: z.string().optional(),
    locations: z.array(location).optional(),
    content: z.array(Part).optional(),
  }),
  event('tool.output', { id: ItemId, stream: z.enum(['stdout', 'stderr', 'progress']), delta: z.string() }),
  event('tool.result', {
    id: ItemId,
    /** The tool message that carries it. */
    messageId: MessageId,
    status: callStatus,
    parts: z.array(Part),
    error: z.string().optional(),
    origin: z.enum(['agent', 'client', 'provider']),
  }),
  event('state.snapshot', { state: Json, origin: z.enum(['agent', 'client']) }),
  event('state.delta', { patch: JsonPatch, origin: z.enum(['agent', 'client']) }),
  event('plan', { planId: ItemId, entries: z.array(PlanEntry) }),
  event('activity.snapshot', {
    id: ItemId,
    activityType: z.string(),
    content: JsonObject,
    replace: z.boolean().optional(),
  }),
  event('activity.delta', { id: ItemId, activityType: z.string(), patch: JsonPatch }),
  event('artifact', {
    id: ItemId,
    name: z.string().optional(),
    description: z.string().optional(),
    parts: z.array(Part),
    /** Adds to the artifact's parts instead of replacing them. */
    append: z.boolean(),
    /** Nothing more will be added. */
    last: z.boolean(),
  }),
  event('step.started', { name: z.string() }),
  event('step.finished', { name: z.string() }),
  event('subagent.started', {
    id: z.string(),
    name: z.string(),
    description: z.string().optional(),
    parentId: z.string().optional(),
    parentToolCallId: ItemId.optional(),
  }),
  event('subagent.finished', { id: z.string(), result: Json.optional(), suspended: z.array(TicketId).optional() }),
  event('subagent.failed', { id: z.string(), fault: FaultRecord }),
  event('usage', {
    provider: z.string(),
    model: z.string(),
    tokens: TokenUsage,
    window: z.object({ used: z.number(), size: z.number() }).optional(),
    cost: z.object({ amount: z.number(), currency: z.string() }).optional(),
  }),
  event('thread.changed', {
    /** Empty: it has none any more. */
    title: z.string().optional(),
    settings: ThreadSettings.optional(),
    workspace: Workspace.optional(),
    commands: z.array(AgentCommand).optional(),
  }),
  event('notice', { level: z.enum(['info', 'warning', 'error']), text: z.string() }),
  event('compaction', { summary: z.string().optional(), upToMessageId: MessageId.optional() }),
  event('custom', { name: z.string(), value: Json }),
  event('raw', { event: Json, source: z.string().optional() }),
] as const;

/** How an agent says that it ended otherwise than by finishing its turn. The last thing it yields; never recorded itself. */
const Ending = event('ending', {
  stop: Completed.shape.stop,
  result: Json.optional(),
});

/** What `Agent.run` yields. */
export const RunEventBody = z.discriminatedUnion('type', [...agentEvents, Ending]);
export type RunEventBody = z.infer<typeof RunEventBody>;

/** What the rules record about a run and its thread. */
const laneEvents = [
  event('message.added', { message: Message, activation: ActivationId.optional() }),
  event('run.queued', { activation: ActivationId }),
  /** `baseId` is the message that the run's first one hangs on; `state` the thread's shared state, unless it is empty. */
  event('run.started', {
    activations: z.array(ActivationId),
    agentId: z.string(),
    baseId: MessageId.optional(),
    state: Json.optional(),
  }),
  event('run.waiting', { ticketIds: z.array(TicketId) }),
  event('run.resumed', {
    cause: z.enum(['decision', 'input', 'yield', 'restart']),
    activation: ActivationId.optional(),
  }),
  /** The next attempt starts at `retryAtMs`. Without a fault the process that ran it was lost or released it. */
  event('run.retrying', { nextAttempt: z.number().int(), retryAtMs: z.number(), fault: FaultRecord.optional() }),
  /**
   * A new attempt begins: what followed the last boundary does not count, and steps and subagents that are open are
   * closed. `kept`: how many events that belong to no item count still, by kind; the rest is told again. `state` where it
   * returns to another value.
   */
  event('attempt.discarded', {
    itemIds: z.array(ItemId),
    kept: z.record(z.string(), z.number().int()).optional(),
    state: Json.optional(),
  }),
  event('run.stopping', { reason: z.enum(['cancelled', 'interrupted', 'timeout']), by: Actor }),
  event('run.finished', { outcome: Outcome }),
  event('ticket.opened', { ticket: Ticket }),
  /** `decision` is left out where the answer is a secret. */
  event('ticket.closed', {
    ticketId: TicketId,
    how: z.enum(['answered', 'dismissed', 'expired', 'withdrawn']),
    decision: Decision.optional(),
    by: TicketClosed.pick({ actor: true, door: true }),
  }),
  event('input.staged', { activation: ActivationId, messageIds: z.array(MessageId), actor: Actor, door: Door }),
  event('input.taken', { activation: ActivationId }),
  event('input.edited', { activation: ActivationId, revision: z.number().int() }),
  event('input.retracted', { activation: ActivationId, by: Actor }),
  event('thread.branched', { headId: MessageId.optional() }),
] as const;

/** What a log holds, without its envelope. */
export const EventBody = z.discriminatedUnion('type', [...agentEvents, ...laneEvents]);
export type EventBody = z.infer<typeof EventBody>;
export type EventType = EventBody['type'];

const envelope = {
  /** The thread's number for it, from 1, without gaps. */
  seq: z.number().int().positive(),
  atMs: z.number(),
  threadId: ThreadId,
  runId: RunId.optional(),
  attempt: z.number().int().nonnegative().optional(),
  /** The claim under which it was written; absent on what the rules wrote without one. */
  token: z.string().optional(),
};
export const Envelope = z.object(envelope);
export type Envelope = z.infer<typeof Envelope>;

/** One canonical fact of a thread's log. */
export type RunEvent = Envelope & EventBody;
export const RunEvent: z.ZodType<RunEvent> = z.intersection(Envelope, EventBody);
