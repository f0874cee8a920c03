import * as z from 'zod';
import { AgentId } from './id.ts';
import { JsonObject } from './json.ts';

export const AgentSkill = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  tags: z.array(z.string()).optional(),
  examples: z.array(z.string()).optional(),
});
export type AgentSkill = z.infer<typeof AgentSkill>;

/** A way of working that a person chooses for a thread. */
export const AgentMode = z.object({ id: z.string().min(1), name: z.string(), description: z.string().optional() });
export type AgentMode = z.infer<typeof AgentMode>;

const option = {
  id: z.string().min(1),
  name: z.string(),
  description: z.string().optional(),
  /** What it is about, for clients that show some kinds in a place of their own: `model`, `thought_level`, … */
  category: z.string().optional(),
};

/** A setting that a person may change on a thread. */
export const AgentOption = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('select'),
    ...option,
    choices: z.array(AgentMode.extend({ id: z.string() })).min(1),
    /** A choice's id. */
    default: z.string(),
  }),
  z.object({ type: z.literal('boolean'), ...option, default: z.boolean() }),
]);
export type AgentOption = z.infer<typeof AgentOption>;

/** Something a person may say first on a line: `/name`, and what belongs to it. */
export const AgentCommand = z.object({
  name: z.string().min(1),
  description: z.string(),
  /** What may follow the name. */
  hint: z.string().optional(),
});
export type AgentCommand = z.infer<typeof AgentCommand>;

/** What an agent says of itself; every protocol's card, capabilities and options are derived from it. */
export const AgentCard = z.object({
  id: AgentId,
  version: z.string(),
  name: z.string(),
  description: z.string(),
  skills: z.array(AgentSkill),
  capabilities: z.object({
    /** Media it understands, beside text. */
    input: z.array(z.enum(['image', 'audio', 'video', 'document'])),
    reasoning: z.boolean(),
    tools: z.boolean(),
    clientTools: z.boolean(),
    state: z.boolean(),
    approvals: z.boolean(),
    subagents: z.boolean(),
    /** How it can reach MCP servers that a client brings along; absent: it uses none. */
    mcp: z.array(z.enum(['stdio', 'http', 'sse'])).optional(),
  }),
  /** The first is where a thread begins; absent: it has but one. */
  modes: z.array(AgentMode).min(1).optional(),
  options: z.array(AgentOption).optional(),
  commands: z.array(AgentCommand).optional(),
  /** What the death of its process means: run it again, attach to its upstream again, or end as interrupted. */
  recovery: z.enum(['rerun', 'resume', 'fail']),
  /** Takes new input into a running turn. */
  takesInput: z.boolean(),
  metadata: JsonObject.optional(),
});
export type AgentCard = z.infer<typeof AgentCard>;
