import * as z from 'zod';
import { MessageId, Scope, ThreadId } from './id.ts';
import { Json, JsonObject } from './json.ts';

export const Workspace = z.object({ cwd: z.string(), additionalDirectories: z.array(z.string()) });
export type Workspace = z.infer<typeof Workspace>;

export const ThreadSettings = z.object({ mode: z.string().optional(), options: JsonObject });
export type ThreadSettings = z.infer<typeof ThreadSettings>;

/** One conversation. Its head, numbering and queue are in its lane. */
export const Thread = z.object({
  scope: Scope,
  id: ThreadId,
  /** A label that several threads may share; by default the thread's own name. */
  contextId: z.string(),
  parent: z.object({ threadId: ThreadId, headId: MessageId.optional() }).optional(),
  title: z.string().optional(),
  workspace: Workspace.optional(),
  settings: ThreadSettings,
  /** Shared with the frontend; agents change it by `state.snapshot` and `state.delta`. */
  state: Json,
  metadata: JsonObject,
  createdAtMs: z.number(),
});
export type Thread = z.infer<typeof Thread>;
