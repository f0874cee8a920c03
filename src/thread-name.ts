import type { ThreadKey } from '../schemas/id.ts';

/** A thread's key as one text, for maps: different for different keys, whatever is in them. */
export function threadName({ scope, threadId }: ThreadKey): string {
  return `${scope.length}:${scope}${threadId}`;
}
