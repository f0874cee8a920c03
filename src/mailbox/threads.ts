import type { StopReport, ThreadFork, ThreadInput, ThreadPatch, ThreadStatus } from '../../schemas/control.ts';
import type { MessageId, Principal, Scope, ThreadId, ThreadKey } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import type { Thread } from '../../schemas/thread.ts';
import { Fault } from '../fault.ts';
import type { Caller, Page, PageRequest, Threads } from '../gateway.ts';
import type { Ids } from '../ids.ts';
import { waitingOn } from '../lane/lane.ts';
import { pageOf, strangeCursor } from './lists.ts';
import type { Runner } from './runner.ts';
import type { Store } from './store.ts';
import { readPath } from './views.ts';

export interface MailboxThreadsParts {
  readonly store: Store;
  readonly runner: Runner;
  readonly ids: Ids;
}

/** Conversations as things of their own. */
export class MailboxThreads implements Threads {
  readonly #parts: MailboxThreadsParts;

  constructor(parts: MailboxThreadsParts) {
    this.#parts = parts;
  }

  async create({ scope }: Principal, input: ThreadInput): ReturnType<Threads['create']> {
    const { id = this.#parts.ids.next('thr'), contextId = id, settings, state = {}, metadata = {}, ...rest } = input;
    const thread = { ...rest, scope, id, contextId, settings: settings ?? { options: {} }, state, metadata };
    return this.#create({ scope, threadId: id }, thread, []);
  }

  async #create(
    key: ThreadKey,
    thread: Omit<Thread, 'createdAtMs'>,
    messages: readonly Message[],
    from: ThreadKey = key,
  ): ReturnType<Threads['create']> {
    const { runner, ids } = this.#parts;
    const blobs = await this.#blobsOf(from, messages);
    const { was } = await runner.turn(key, { type: 'create', thread, messages, blobs, logId: ids.next('log') });
    return { was, status: await this.#get(key) };
  }

  async find({ scope }: Principal, threadId: ThreadId): Promise<ThreadStatus | undefined> {
    const key = { scope, threadId };
    const lane = await this.#parts.store.findLane(key);
    const thread = await this.#parts.store.findRecord(key, 'thread', '');
    if (lane === undefined || thread === undefined) return undefined;
    const { headId, logId, head, open } = lane;
    const status = { thread, headId, logId, head, waiting: waitingOn(lane) };
    if (open === undefined) return status;
    const { runId, agentId, phase, tickets } = open;
    return { ...status, open: { runId, agentId, phase: phase.is, ticketIds: tickets.map((ticket) => ticket.id) } };
  }

  async #get({ scope, threadId }: ThreadKey): Promise<ThreadStatus> {
    const found = await this.find({ scope, actor: '' }, threadId);
    if (found === undefined) throw notFound(threadId);
    return found;
  }

  list(
    { scope }: Principal,
    { contextId }: { readonly contextId?: string | undefined },
    page: PageRequest,
  ): Promise<Page<Thread>> {
    return pageOf(this.#parts.store, { scope, kind: 'thread', label: contextId }, page, (thread) => thread);
  }

  async patch({ scope }: Principal, threadId: ThreadId, patch: ThreadPatch): Promise<ThreadStatus> {
    const key = { scope, threadId };
    await this.#parts.runner.turn(key, { type: 'patch', patch });
    return this.#get(key);
  }

  async fork({ scope }: Principal, threadId: ThreadId, fork: ThreadFork): Promise<ThreadStatus> {
    const { store, ids } = this.#parts;
    const from = { scope, threadId };
    const { thread, headId } = await this.#get(from);
    const { id = ids.next('thr'), at = headId, title = thread.title } = fork;
    if (at !== undefined && (await store.findRecord(from, 'message', at)) === undefined) {
      throw new Fault('not-found', `no message has the id ${at}`, { path: 'at' });
    }
    const messages = await readPath(store, from, at);
    const { createdAtMs: _, ...same } = thread;
    const forked = { ...same, id, title, parent: { threadId, headId: at } };
    return (await this.#create({ scope, threadId: id }, forked, messages, from)).status;
  }

  async remove(
    { scope }: Principal,
    threadId: ThreadId,
    { children, force }: { readonly children: 'refuse' | 'keep' | 'remove'; readonly force: boolean },
  ): Promise<void> {
    const key = { scope, threadId };
    const { thread } = await this.#get(key);
    const family = children === 'keep' ? [] : await this.#descendants(scope, thread);
    if (children === 'refuse' && family.length > 0) {
      const names = family.slice(0, 3).map((one) => one.id);
      throw new Fault('run-conflict', `the thread has forks, ${names.join(', ')} among them`, { retryable: false });
    }
    // The youngest first: what fails on the way leaves no fork without its parent's say.
    for (const { id } of family) await this.#remove({ scope, threadId: id }, force);
    await this.#remove(key, force);
  }

  async #remove(key: ThreadKey, force: boolean): Promise<void> {
    await this.#parts.runner.turn(key, { type: 'remove', force });
  }

  /** Its forks and theirs, the youngest first: a fork is younger than what it was forked from. */
  async #descendants(scope: Scope, { id, contextId }: Thread): Promise<Thread[]> {
    const family: Thread[] = [];
    for (let cursor: string | undefined, more = true; more;) {
      const page = await this.list({ scope, actor: '' }, { contextId }, { cursor, limit: 200 });
      family.push(...page.items);
      cursor = page.next;
      more = cursor !== undefined;
    }
    const found = new Set([id]);
    for (const thread of family.toReversed()) if (found.has(thread.parent?.threadId ?? '')) found.add(thread.id);
    return family.filter((thread) => thread.id !== id && found.has(thread.id));
  }

  async messages(
    { scope }: Principal,
    threadId: ThreadId,
    headId: MessageId | undefined,
    { cursor, limit }: PageRequest,
  ): Promise<Page<Message>> {
    const { store } = this.#parts;
    const key = { scope, threadId };
    const lane = await store.findLane(key);
    if (lane === undefined) throw notFound(threadId);
    const items: Message[] = [];
    let at = cursor ?? headId ?? lane.headId;
    while (at !== undefined && items.length < limit) {
      const message = await store.findRecord(key, 'message', at);
      if (message === undefined && at === cursor) throw strangeCursor();
      if (message === undefined) throw new Fault('not-found', `no message has the id ${at}`, { path: 'head' });
      items.push(message);
      at = message.parentId;
    }
    return { items, next: at };
  }

  cancel(caller: Caller, threadId: ThreadId): Promise<StopReport> {
    const key = { scope: caller.scope, threadId };
    return this.#parts.runner.turn(key, { type: 'cancel', target: 'thread', by: caller });
  }

  interrupt(caller: Caller, threadId: ThreadId): Promise<StopReport> {
    return this.#parts.runner.turn({ scope: caller.scope, threadId }, { type: 'interrupt', by: caller });
  }

  /** What messages keep apart. */
  async #blobsOf(thread: ThreadKey, messages: readonly Message[]): Promise<{ id: string; data: string }[]> {
    const blobs = new Map<string, string>();
    for (const part of messages.flatMap((message) => message.parts)) {
      if (part.type !== 'media' || part.source.at !== 'blob' || blobs.has(part.source.blob)) continue;
      const found = await this.#parts.store.findRecord(thread, 'blob', part.source.blob);
      if (found !== undefined) blobs.set(part.source.blob, found.data);
    }
    return [...blobs].map(([id, data]) => ({ id, data }));
  }
}

function notFound(threadId: ThreadId): Fault {
  return new Fault('not-found', `no thread has the id ${threadId}`);
}
