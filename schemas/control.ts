import * as z from 'zod';
import { Activation, ClientTool, TicketAnswer, ToolResultInput, WhenBusy } from './activation.ts';
import { ActivationId, AgentId, MessageId, RunId, ThreadId, TicketId } from './id.ts';
import { Json, JsonObject } from './json.ts';
import { Message, MessageInput } from './message.ts';
import { Run } from './run.ts';
import { Thread, ThreadSettings, Workspace } from './thread.ts';
import { Answer, Decision, Ticket, TicketClosed } from './ticket.ts';

/** What the control API takes and gives, where that is not a record itself. */

/** What to run: a new message on a thread, or answers to its open questions. */
export const RunSubmission = z.strictObject({
  /** Absent: a new thread. */
  threadId: ThreadId.optional(),
  /** Absent: the first agent that is served. */
  agentId: AgentId.optional(),
  /** Short for one user message of one text. */
  text: z.string().min(1).optional(),
  /** Follow the thread's head, or `base`. */
  messages: z.array(MessageInput).optional(),
  decisions: z.array(TicketAnswer).optional(),
  toolResults: z.array(ToolResultInput).optional(),
  /** `queue` if absent. */
  whenBusy: WhenBusy.optional(),
  /** Refused unless this is the open run. */
  expectedRunId: RunId.optional(),
  /** The message to branch from. */
  base: MessageId.optional(),
  /** Replaces the thread's state when its run starts. */
  state: Json.optional(),
  tools: z.array(ClientTool).optional(),
  context: z.array(z.strictObject({ description: z.string(), value: z.string() })).optional(),
  forwardedProps: Json.optional(),
  metadata: JsonObject.optional(),
  /** Lower goes first; 128 if absent. */
  priority: z.number().int().min(0).max(255).optional(),
});
export type RunSubmission = z.infer<typeof RunSubmission>;

/** New input for one run: taken into its turn, or continuing it when the turn ends first. */
export const RunInput = RunSubmission.pick({ text: true, messages: true, metadata: true });
export type RunInput = z.infer<typeof RunInput>;

/** How a request entered. The same request again gets the same receipt. */
export const RunReceipt = z.object({
  threadId: ThreadId,
  /** Names the request on its thread. */
  activationId: ActivationId,
  /** The run that serves it, or will. */
  runId: RunId,
  /**
   * `running`: its run executes. `queued`: behind others. `pending`: input for the running turn, taken at its next
   * boundary. `blocked`: behind a run that waits for answers to `blockedBy`. `answered`: all that it says came too late
   * for this run, which had ended.
   */
  became: Activation.shape.received.shape.became,
  blockedBy: z.array(TicketId),
});
export type RunReceipt = z.infer<typeof RunReceipt>;

/** A ticket as anyone in its scope may see it. `decision` is left out where the answer is a secret. */
export const ShownTicket = Ticket.omit({ closed: true }).extend({
  closed: TicketClosed.omit({ decision: true })
    .extend({ how: z.enum(['answered', 'dismissed', 'expired', 'withdrawn']), decision: Decision.optional() })
    .optional(),
});
export type ShownTicket = z.infer<typeof ShownTicket>;

/** A run, what it waits for, and once it is done what it wrote. */
export const RunReport = z.object({
  run: Run,
  /** Open ones. */
  tickets: z.array(ShownTicket),
  /** Oldest first; empty until it is done. */
  messages: z.array(Message),
});
export type RunReport = z.infer<typeof RunReport>;

export const TicketDecision = z.strictObject({
  answer: Answer,
  /** The same one again is a no-op, whatever it says. */
  decisionId: z.string().min(1).max(512).optional(),
});
export type TicketDecision = z.infer<typeof TicketDecision>;

/** What a cancel or an interrupt reached. */
export const StopReport = z.object({
  /** By run: told to stop, ended at once, or it was so before. */
  runs: z.record(RunId, z.enum(['stopping', 'ended', 'was-stopping', 'was-ended'])),
  /** Requests that were taken back before a run took them. */
  retracted: z.array(ActivationId),
});
export type StopReport = z.infer<typeof StopReport>;

/** A request that no run has taken. */
export const QueueEntry = z.object({
  activation: Activation.omit({ digest: true }),
  messages: z.array(MessageInput),
  whenBusy: WhenBusy,
});
export type QueueEntry = z.infer<typeof QueueEntry>;

export const QueueEdit = z.strictObject({
  /** The one that was read. */
  revision: z.number().int().positive(),
  /** No more than there were. */
  messages: z.array(MessageInput).min(1),
});
export type QueueEdit = z.infer<typeof QueueEdit>;

export const QueueOrder = z.strictObject({ activationIds: z.array(ActivationId).min(1) });
export type QueueOrder = z.infer<typeof QueueOrder>;

export const ThreadInput = z.strictObject({
  /** Absent: a new name. */
  id: ThreadId.optional(),
  contextId: z.string().min(1).max(512).optional(),
  title: z.string().optional(),
  workspace: Workspace.optional(),
  settings: ThreadSettings.optional(),
  state: Json.optional(),
  metadata: JsonObject.optional(),
});
export type ThreadInput = z.infer<typeof ThreadInput>;

/** What is absent stays; `null` removes. `metadata` and `settings.options` are merged by RFC 7396. */
export const ThreadPatch = z.strictObject({
  title: z.string().nullable().optional(),
  workspace: Workspace.optional(),
  settings: z.strictObject({ mode: z.string().nullable().optional(), options: JsonObject.optional() }).optional(),
  metadata: JsonObject.optional(),
});
export type ThreadPatch = z.infer<typeof ThreadPatch>;

export const ThreadFork = z.strictObject({
  /** The new thread's; absent: a new name. */
  id: ThreadId.optional(),
  /** The last message that it begins with; absent: the thread's head. */
  at: MessageId.optional(),
  title: z.string().optional(),
});
export type ThreadFork = z.infer<typeof ThreadFork>;

/** A thread and what happens on it now. */
export const ThreadStatus = z.object({
  thread: Thread,
  /** The end of the branch that the next run continues. */
  headId: MessageId.optional(),
  /** The generation and the last number of its log. */
  logId: z.string(),
  head: z.number().int().nonnegative(),
  /** The run that holds it. */
  open: z
    .object({
      runId: RunId,
      agentId: AgentId,
      /** `ready`: in backoff, or about to go on. `waiting`, `parked`: for a person. */
      phase: z.enum(['ready', 'running', 'waiting', 'parked', 'stopping', 'ending']),
      ticketIds: z.array(TicketId),
    })
    .optional(),
  /** How many requests wait. */
  waiting: z.number().int().nonnegative(),
});
export type ThreadStatus = z.infer<typeof ThreadStatus>;
