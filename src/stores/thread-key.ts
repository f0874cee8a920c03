import type { ThreadKey } from '../../schemas/id.ts';
import { compareKeys } from './safe-key.ts';

/** A thread's key as one text for maps; different for different keys, whatever is in them. */
export function nameOf({ scope, threadId }: ThreadKey): string {
  return `${scope.length}:${scope}${threadId}`;
}

export function compareThreads(a: ThreadKey, b: ThreadKey): number {
  return compareKeys(a.scope, b.scope) || compareKeys(a.threadId, b.threadId);
}
