import * as z from 'zod';
import {
  ActivationId,
  Actor,
  AgentId,
  Door,
  ItemId,
  MessageId,
  RequestKey,
  RunId,
  Scope,
  ThreadId,
  TicketId,
} from './id.ts';
import { Json, JsonObject } from './json.ts';
import { MessageInput } from './message.ts';
import { Part } from './part.ts';
import { Outcome } from './run.ts';
import { Answer } from './ticket.ts';

/** What to do when the thread is busy. `steer`: into the running turn if its agent takes input, else behind it. */
export const WhenBusy = z.enum(['queue', 'steer', 'interrupt', 'reject']);
export type WhenBusy = z.infer<typeof WhenBusy>;

/** A tool that the client offers to execute. */
export const ClientTool = z.object({
  name: z.string(),
  description: z.string(),
  /** JSON Schema. */
  parameters: Json.optional(),
  metadata: JsonObject.optional(),
});
export type ClientTool = z.infer<typeof ClientTool>;

/** A caller's answer to one ticket. `decisionId` makes its repetition recognisable. */
export const TicketAnswer = z.object({
  ticketId: TicketId,
  answer: Answer,
  decisionId: z.string().optional(),
});
export type TicketAnswer = z.infer<typeof TicketAnswer>;

/** A client's result of a tool call that a run left to it. */
export const ToolResultInput = z.object({
  toolCallId: ItemId,
  /** The client's name of the message that carries it. */
  messageId: MessageId.optional(),
  parts: z.array(Part),
  error: z.string().optional(),
  metadata: JsonObject.optional(),
});
export type ToolResultInput = z.infer<typeof ToolResultInput>;

/**
 * One caller's request. `(scope, thread, door, key)` names it for ever: the same key and body attaches to it, also
 * after its end; another body is `request-conflict`.
 */
export const ActivationRequest = z.object({
  scope: Scope,
  actor: Actor,
  threadId: ThreadId,
  door: Door,
  key: RequestKey,
  agentId: AgentId,
  /** Whether a person or another agent asks. */
  origin: z.enum(['user', 'agent']),
  /** What is new. */
  messages: z.array(MessageInput),
  /**
   * `whole`: `messages` is the client's copy of the conversation, reconciled with the thread's by id from its end.
   * `new`: they follow the thread's head, or `base`.
   */
  messagesAre: z.enum(['new', 'whole']),
  decisions: z.array(TicketAnswer),
  toolResults: z.array(ToolResultInput),
  whenBusy: WhenBusy,
  /**
   * Steered input that belongs to one run: if that ends without taking it, the input continues it; if it has not begun, it
   * begins with it.
   */
  bound: RunId.optional(),
  /** Refused unless this is the open run, or one that the request is bound to and that is still to begin. */
  expectedRunId: RunId.optional(),
  /** The message to branch from; absent: the thread's head. */
  base: MessageId.optional(),
  /** The client's copy of the thread's state; absent, `null` and `{}` are no opinion. */
  state: Json.optional(),
  tools: z.array(ClientTool),
  context: z.array(z.object({ description: z.string(), value: z.string() })),
  forwardedProps: Json.optional(),
  references: z.array(z.string()),
  acceptedModes: z.array(z.string()),
  metadata: JsonObject,
  trace: z.object({ traceparent: z.string().optional(), tracestate: z.string().optional() }).optional(),
  /** The live client it came from, for what its run may do on that side. No part of what tells requests apart. */
  attachmentId: z.string().optional(),
  /** Which state of its run answers it: AG-UI and A2A end at a question, ACP and MCP at the run's end. */
  endsAt: z.enum(['waiting', 'done']),
  priority: z.number().int().min(0).max(255),
});
export type ActivationRequest = z.infer<typeof ActivationRequest>;

/** How an activation was answered: its run ended, or waits for a person. */
export const ActivationOutcome = z.discriminatedUnion('type', [
  ...Outcome.options,
  z.object({ type: z.literal('waiting'), ticketIds: z.array(TicketId) }),
]);
export type ActivationOutcome = z.infer<typeof ActivationOutcome>;

/** What became of an activation. Its request is a record of its own. */
export const Activation = z.object({
  id: ActivationId,
  door: Door,
  key: z.string(),
  actor: Actor,
  agentId: AgentId,
  /** Of the request's body: tells a repetition from another request under the same key. */
  digest: z.string(),
  acceptedAtMs: z.number(),
  /** The generation of the thread's log. */
  logId: z.string(),
  /** The thread's last event before it was accepted: what concerns it comes after. */
  afterSeq: z.number().int().nonnegative(),
  endsAt: z.enum(['waiting', 'done']),
  /** Bumped by each edit of pending or queued input. */
  revision: z.number().int().positive(),
  /** What of the request was set aside, for the caller's log. */
  warnings: z.array(z.string()),
  /** What it became when it was accepted: what its repetition is told. */
  received: z.object({
    became: z.enum(['running', 'queued', 'pending', 'blocked', 'answered']),
    runId: RunId,
    blockedBy: z.array(TicketId),
  }),
  /** The ids under which its new messages entered, or will enter, the thread; in order. */
  messageIds: z.array(MessageId),
  state: z.discriminatedUnion('is', [
    z.object({ is: z.literal('queued'), runId: RunId }),
    z.object({ is: z.literal('pending'), runId: RunId }),
    z.object({ is: z.literal('attached'), runId: RunId, fromSeq: z.number().int() }),
    z.object({
      is: z.literal('answered'),
      runId: RunId,
      fromSeq: z.number().int(),
      toSeq: z.number().int(),
      outcome: ActivationOutcome,
    }),
    z.object({ is: z.literal('retracted'), by: Actor, atMs: z.number() }),
  ]),
});
export type Activation = z.infer<typeof Activation>;
