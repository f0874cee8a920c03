import * as z from 'zod';
import { Actor, Door, ItemId, MessageId, RunId } from './id.ts';
import { JsonObject } from './json.ts';
import { Part } from './part.ts';

/** A value only its provider can read; handed back to that provider and to nobody else, and never logged. */
export const Encrypted = z.object({ value: z.string(), provider: z.string().optional() });
export type Encrypted = z.infer<typeof Encrypted>;

export const ToolCall = z.object({
  /** Unique in the thread. */
  id: ItemId,
  /** What the agent itself called it; differs from `id` when that was taken on the thread. */
  agentCallId: z.string().optional(),
  name: z.string(),
  /** The arguments as the model wrote them: JSON text, possibly incomplete. */
  args: z.string(),
  encrypted: Encrypted.optional(),
});
export type ToolCall = z.infer<typeof ToolCall>;

export const Role = z.enum(['user', 'assistant', 'tool', 'system', 'developer', 'reasoning', 'activity']);
export type Role = z.infer<typeof Role>;

/** What a message of role `activity` shows. An artifact's parts are the message's own; of the others, one is their content. */
export const ShownActivity = z.discriminatedUnion('shows', [
  z.object({ shows: z.literal('plan') }),
  z.object({
    shows: z.literal('artifact'),
    name: z.string().optional(),
    description: z.string().optional(),
    isComplete: z.boolean(),
  }),
  z.object({ shows: z.literal('activity'), activityType: z.string() }),
]);
export type ShownActivity = z.infer<typeof ShownActivity>;

const content = {
  role: Role,
  name: z.string().optional(),
  parts: z.array(Part),
  toolCalls: z.array(ToolCall).optional(),
  /** On role `tool`: the call it answers. */
  toolCallId: z.string().optional(),
  /** On role `tool`: why the call failed. */
  error: z.string().optional(),
  /** On role `activity`, and there alone. Agents are not told of such messages. */
  activity: ShownActivity.optional(),
  subagentId: z.string().optional(),
  encrypted: Encrypted.optional(),
  metadata: JsonObject.optional(),
};

/** A message as a client sends it. Without an id it gets one of ours. */
export const MessageInput = z.object({ id: MessageId.optional(), ...content });
export type MessageInput = z.infer<typeof MessageInput>;

/** A message of a thread: a node of its tree. Final: it never changes once written. */
export const Message = z.object({
  id: MessageId,
  /** What the client called it, where that differs from `id`. */
  clientId: z.string().optional(),
  /** Absent: a root of the tree. */
  parentId: MessageId.optional(),
  /** The order in which messages entered the thread, from 1. */
  seq: z.number().int().positive(),
  /** The run that took or wrote it. */
  runId: RunId.optional(),
  actor: Actor,
  door: Door.optional(),
  /** Kept and shown, but left out of what later runs are told (a refused exchange). */
  excluded: z.boolean().optional(),
  ...content,
});
export type Message = z.infer<typeof Message>;
