import type { Thread, Workspace } from '../../schemas/thread.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway } from '../../src/gateway.ts';

export interface ListedSession {
  readonly thread: Thread;
  readonly home: Workspace;
  readonly updatedAtMs: number;
}

const pageSize = 50;
/** A rare directory is looked for in this many threads before a page without any is given. */
const maxLooked = 1000;

/**
 * Threads as sessions, the newest first. One that came through another door has no home, and is listed in whatever
 * directory a client asks for; without one, a client could not say where to open it.
 */
export async function listSessions(
  gateway: Gateway,
  caller: Caller,
  { cwd, cursor }: { readonly cwd: string | undefined; readonly cursor: string | undefined },
): Promise<{ readonly sessions: readonly ListedSession[]; readonly next: string | undefined }> {
  const sessions: ListedSession[] = [];
  let next = cursor;
  for (let looked = 0; looked < maxLooked && sessions.length === 0; looked += pageSize) {
    const page = await gateway.threads.list(caller, {}, { cursor: next, limit: pageSize });
    for (const thread of page.items) {
      const home = thread.workspace ?? (cwd === undefined ? undefined : { cwd, additionalDirectories: [] });
      if (home === undefined || (cwd !== undefined && home.cwd !== cwd)) continue;
      sessions.push({ thread, home, updatedAtMs: await updatedAt(gateway, caller, thread) });
    }
    next = page.next;
    if (next === undefined) break;
  }
  return { sessions, next };
}

/** When the thread's last event was recorded, as far as that is known still. */
async function updatedAt(gateway: Gateway, caller: Caller, { id, createdAtMs }: Thread): Promise<number> {
  const head = (await gateway.threads.find(caller, id))?.head ?? 0;
  try {
    const [last] = head === 0 ? [] : await gateway.events(caller, id, head - 1, 1);
    return last?.atMs ?? createdAtMs;
  } catch (thrown) {
    // Removed, or its log evicted, since it was looked up.
    const { code } = Fault.from(thrown);
    if (code === 'not-found' || code === 'cursor-expired') return createdAtMs;
    throw thrown;
  }
}
