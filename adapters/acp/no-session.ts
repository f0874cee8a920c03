import type { ThreadId } from '../../schemas/id.ts';
import { Fault } from '../../src/fault.ts';

/** What is not there, and what is another scope's. */
export function noSession(id: ThreadId): Fault {
  return new Fault('not-found', `no session has the id ${JSON.stringify(id)}`, { path: 'sessionId' });
}
