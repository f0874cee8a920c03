// A contextId is a label on threads. Which thread a message goes to follows from what happens on those that its caller
// has under that label.
import { createHash, randomUUID } from 'node:crypto';
import type { AgentId, ThreadId } from '../../schemas/id.ts';
import type { ThreadStatus } from '../../schemas/control.ts';
import type { Caller, Gateway } from '../../src/gateway.ts';

/** What a new message does in a context whose newest task waits for a person. */
export type WhenWaiting = 'fork' | 'queue';

/** More threads of one context than this are not looked at. */
const mostThreads = 50;

export interface ContextsOptions {
  readonly gateway: Gateway;
  readonly agentId: AgentId;
  readonly whenWaiting: WhenWaiting;
}

export class Contexts {
  readonly #options: ContextsOptions;

  constructor(options: ContextsOptions) {
    this.#options = options;
  }

  /** Where a message that names no task goes. `key`: the caller's name of the request, if it gave one. */
  async threadFor(caller: Caller, contextId: string | undefined, key: string | undefined): Promise<ThreadId> {
    if (contextId === undefined) return key === undefined ? `ctx_${randomUUID()}` : nameFor('ctx', caller, key);
    const { gateway, whenWaiting } = this.#options;
    const repeated = key === undefined ? undefined : await this.#ofRequest(caller, contextId, key);
    if (repeated !== undefined) return repeated;
    const own = await this.#threads(caller, contextId);
    const free = own.find(({ open }) => open === undefined) ?? own.find((thread) => !isWaiting(thread));
    if (free !== undefined) return free.thread.id;
    const [newest] = own;
    if (newest === undefined) return this.#first(caller, contextId);
    if (whenWaiting === 'queue') return newest.thread.id;
    return (await gateway.threads.fork(caller, newest.thread.id, {})).thread.id;
  }

  /** The thread that the context is named after, as long as nobody has run anything on it, or else a new one. */
  async #first(caller: Caller, contextId: string): Promise<ThreadId> {
    const { threads } = this.#options.gateway;
    const named = await threads.find(caller, contextId);
    const isUntouched = named !== undefined && (await this.#hasBegun(caller, contextId)) === 'nobody';
    if (isUntouched && named.thread.contextId === contextId) return contextId;
    const id = nameFor('thr', caller, contextId);
    await threads.create(caller, { id, contextId });
    return id;
  }

  /** The thread to which the same request went before. */
  async #ofRequest(caller: Caller, contextId: string, key: string): Promise<ThreadId | undefined> {
    for (const { thread } of await this.#threads(caller, contextId)) {
      if ((await this.#options.gateway.findActivation(caller, thread.id, `a2a:${key}`)) !== undefined) return thread.id;
    }
    return undefined;
  }

  /** The caller's threads of a context, newest first: those that it has brought something to, or that nobody has. */
  async #threads(caller: Caller, contextId: string): Promise<ThreadStatus[]> {
    const { threads } = this.#options.gateway;
    const page = await threads.list(caller, { contextId }, { limit: mostThreads });
    const own: ThreadStatus[] = [];
    // The oldest first: a fork on which nothing has run is its caller's when what it was forked from is.
    for (const { id, parent } of page.items.toReversed()) {
      const status = await threads.find(caller, id);
      if (status === undefined) continue;
      const begun = await this.#hasBegun(caller, id);
      const isOwn =
        begun === 'nobody'
          ? id === nameFor('thr', caller, contextId) || own.some(({ thread }) => thread.id === parent?.threadId)
          : begun === 'caller';
      if (isOwn) own.unshift(status);
    }
    return own;
  }

  /** Whether anything was run on a thread, and whether by the caller. Most threads are one actor's: the last run tells. */
  async #hasBegun(caller: Caller, threadId: ThreadId): Promise<'nobody' | 'caller' | 'others'> {
    const { runs } = this.#options.gateway;
    for (let cursor: string | undefined, limit = 1; ; limit = mostThreads) {
      const page = await runs.list(caller, { threadId }, { cursor, limit });
      if (page.items.some((run) => run.actor === caller.actor)) return 'caller';
      cursor = page.next;
      if (cursor === undefined || limit > 1) return page.items.length === 0 && limit === 1 ? 'nobody' : 'others';
    }
  }
}

function isWaiting({ open }: ThreadStatus): boolean {
  return open?.phase === 'waiting' || open?.phase === 'parked';
}

/** A thread of this caller's alone: the same name by another caller names another one. */
function nameFor(prefix: string, { scope, actor }: Caller, name: string): ThreadId {
  return `${prefix}_${createHash('sha256')
    .update(JSON.stringify([scope, actor, name]))
    .digest('hex')}`;
}
