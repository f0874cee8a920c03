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
  }),
  /** What the death of its process means: run it again, attach to its upstream again, or end as interrupted. */
  recovery: z.enum(['rerun', 'resume', 'fail']),
  /** Takes new input into a running turn. */
  takesInput: z.boolean(),
  metadata: JsonObject.optional(),
});
export type AgentCard = z.infer<typeof AgentCard>;
