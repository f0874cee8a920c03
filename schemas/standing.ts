import * as z from 'zod';
import { Actor, AgentId, RunId } from './id.ts';

/** A run that nobody works on, as it is listed to its actor. There is none of a run that is queued, or executes. */
export const Standing = z.object({
  runId: RunId,
  agentId: AgentId,
  actor: Actor,
  /**
   * What it waits for (`sign-in`: for that alone), or how it ended. `stopped-early`: completed by a limit; `refused`:
   * completed by a refusal.
   */
  is: z.enum(['answer', 'sign-in', 'completed', 'stopped-early', 'refused', 'cancelled', 'failed']),
  /** Since when. */
  atMs: z.number(),
});
export type Standing = z.infer<typeof Standing>;
