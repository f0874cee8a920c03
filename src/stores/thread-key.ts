import type { ThreadKey } from '../../schemas/id.ts';
import { compareKeys } from './safe-key.ts';

export function compareThreads(a: ThreadKey, b: ThreadKey): number {
  return compareKeys(a.scope, b.scope) || compareKeys(a.threadId, b.threadId);
}
