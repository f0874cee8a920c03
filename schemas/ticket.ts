import * as z from 'zod';
import { Actor, Door, ItemId, RunId, ThreadId, TicketId } from './id.ts';
import { Json, JsonObject } from './json.ts';

export const TicketKind = z.enum(['approval', 'choice', 'form', 'sign-in', 'url']);
export type TicketKind = z.infer<typeof TicketKind>;

export const TicketOption = z.object({
  id: z.string().min(1),
  name: z.string(),
  kind: z.enum(['allow-once', 'allow-always', 'reject-once', 'reject-always', 'other']),
});
export type TicketOption = z.infer<typeof TicketOption>;

/** What an agent asks a person. */
export const Question = z.object({
  kind: TicketKind,
  text: z.string(),
  options: z.array(TicketOption).optional(),
  /** JSON Schema of the answer; an answer that breaks it leaves the ticket open. */
  schema: JsonObject.optional(),
  /** Whether an approval may change the tool call's arguments. */
  editable: z.boolean().optional(),
  /** Who may answer: a person (default) or also the agent that called us. */
  mayDecide: z.enum(['person', 'anyone']).optional(),
  toolCallId: ItemId.optional(),
  subagentId: z.string().optional(),
  subject: z.string().optional(),
  /** How long it may stay open; default 7 days. */
  expiresInMs: z.number().int().positive().optional(),
  /** What its run gets when it expires: a dismissal (default), or the run fails. */
  onExpiry: z.enum(['dismiss', 'fail']).optional(),
  /** The answer goes to the agent alone: never into events or logs. */
  secret: z.boolean().optional(),
});
export type Question = z.infer<typeof Question>;

/**
 * A person's answer. Only `approve` approves, only `deny` denies: no error, disconnect or prose stands for either.
 * `dismiss` declines to answer.
 */
export const Answer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('approve'), args: JsonObject.optional(), note: z.string().optional() }),
  z.object({ type: z.literal('deny'), note: z.string().optional() }),
  z.object({ type: z.literal('option'), optionId: z.string(), args: JsonObject.optional() }),
  z.object({ type: z.literal('value'), value: Json }),
  z.object({ type: z.literal('dismiss') }),
]);
export type Answer = z.infer<typeof Answer>;

/** What an agent gets for a question: a person's answer, or how the ticket closed without one. */
export const Decision = z.discriminatedUnion('how', [
  z.object({ how: z.literal('answered'), answer: Answer }),
  z.object({ how: z.literal('dismissed') }),
  z.object({ how: z.literal('expired') }),
  z.object({ how: z.literal('withdrawn') }),
]);
export type Decision = z.infer<typeof Decision>;

export const TicketClosed = z.object({
  decision: Decision,
  actor: Actor.optional(),
  door: Door.optional(),
  decisionId: z.string().optional(),
  atMs: z.number(),
});
export type TicketClosed = z.infer<typeof TicketClosed>;

/** An open question to a person, and in the end its answer. Closes once. */
export const Ticket = z.object({
  id: TicketId,
  threadId: ThreadId,
  runId: RunId,
  rootRunId: RunId,
  /** The agent's key of the `ask` that opened it. */
  key: z.string(),
  kind: TicketKind,
  text: z.string(),
  options: z.array(TicketOption),
  schema: JsonObject.optional(),
  editable: z.boolean(),
  mayDecide: z.enum(['person', 'anyone']),
  toolCallId: ItemId.optional(),
  subagentId: z.string().optional(),
  subject: z.string().optional(),
  openedAtMs: z.number(),
  expiresAtMs: z.number(),
  onExpiry: z.enum(['dismiss', 'fail']),
  secret: z.boolean(),
  closed: TicketClosed.optional(),
});
export type Ticket = z.infer<typeof Ticket>;
