import type { Scope, ThreadKey } from '../../schemas/id.ts';
import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import type { Clock } from '../clock.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { Fault } from '../fault.ts';
import type { ListedKind } from '../lane/filing.ts';
import type { Lane } from '../lane/lane.ts';
import type { Found, RecordKind, Records, Step } from '../lane/records.ts';
import type {
  Claim,
  CountQuery,
  Listed,
  ListQuery,
  ReadyCursor,
  ReadyThread,
  Store,
  StoreHealth,
} from '../mailbox/store.ts';
import { absent, Batch } from './batch.ts';
import { type Call, tell } from './call.ts';
import type { Change, Engine, StoredThread } from './engine.ts';
import { readyInTurns } from './fair-order.ts';
import { indexOf } from './lane-index.ts';
import type { Recent } from './recent.ts';
import { parseEvents, parseObject } from './record-text.ts';
import { type CachedThread, type CacheLimits, ThreadCache, type ThreadImage } from './thread-cache.ts';

export interface TurnStoreOptions {
  readonly clock: Clock;
  /** How many threads, and about how many bytes of them, are kept in memory. */
  readonly cache?: CacheLimits;
  /** Given each lane that will be shown to others; a store for tests freezes it. */
  readonly protect?: (lane: Lane) => void;
}

const defaultCache: CacheLimits = { maxThreads: 8192, maxBytes: 64 * 1024 * 1024 };
/** While one group is being committed the next one waits at the engine, so that neither side idles. */
const maxGroups = 2;
/** So few threads share one commit rather than wait for two. */
const minShare = 16;
const maxGroupChars = 4 * 1024 * 1024;

/**
 * The order of turns that all stores share, over an engine that keeps texts. Calls gather per thread while its commit is
 * in flight; a round decides what has gathered on all idle threads and commits it as one group.
 *
 * Modes: `open` → a commit fails → `read-only` until reopened; either → close → `closed`.
 */
export class TurnStore implements Store {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #protect: (lane: Lane) => void;
  readonly #cache: ThreadCache;
  readonly #listeners = new Set<(thread: ThreadKey) => void>();
  #mode: { readonly is: 'open' } | { readonly is: 'read-only' | 'closed'; readonly fault: Fault } = { is: 'open' };
  /** Threads with calls to decide and no commit in flight. */
  #due: CachedThread[] = [];
  #groups = 0;
  /** How many requests wait, as of the last commit. */
  #waiting: number;
  /** Threads that were done with the last group. Their followers, woken by it, may still want its events. */
  #cooling: CachedThread[] = [];
  #isRoundSet = false;
  #closing: Deferred<void> | undefined;

  constructor(engine: Engine, options: TurnStoreOptions) {
    this.#engine = engine;
    this.#waiting = engine.readWaiting();
    this.#clock = options.clock;
    this.#protect = options.protect ?? (() => {});
    this.#cache = new ThreadCache(options.cache ?? defaultCache);
  }

  update<Result>(
    thread: ThreadKey,
    decide: (lane: Lane | undefined, found: Found, nowMs: number) => Step<Result>,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#enqueue(thread, { is: 'update', decide, resolve, reject });
    });
  }

  append(claim: Claim, ordinal: number, entries: readonly EventBody[]): Promise<{ first: number; last: number }> {
    return new Promise((resolve, reject) => {
      this.#enqueue(claim.thread, { is: 'append', claim, ordinal, entries, resolve, reject });
    });
  }

  #enqueue(key: ThreadKey, call: Call): void {
    if (this.#mode.is !== 'open' || this.#closing !== undefined) {
      call.reject(this.#mode.is === 'open' ? closedFault() : this.#mode.fault);
      return;
    }
    const thread = this.#cache.use(key);
    thread.calls.push(call);
    if (thread.state === 'idle') this.#makeDue(thread);
  }

  #makeDue(thread: CachedThread): void {
    thread.state = 'due';
    this.#due.push(thread);
    this.#setRound();
  }

  /** At the end of this turn of the event loop, so that what it brings in shares a commit. */
  #setRound(): void {
    if (this.#isRoundSet || this.#groups >= maxGroups || this.#due.length === 0) return;
    this.#isRoundSet = true;
    setImmediate(() => {
      this.#isRoundSet = false;
      this.#round();
    });
  }

  #round(): void {
    if (this.#mode.is !== 'open') return;
    const refusal = this.#engine.refusal();
    const clockMs = this.#clock.now();
    const group: Batch[] = [];
    let chars = 0;
    for (const thread of this.#due.splice(0, this.#share())) {
      if (chars > maxGroupChars) {
        this.#due.push(thread);
        continue;
      }
      const batch = refusal === undefined ? this.#decide(thread, clockMs) : this.#refuse(thread, refusal);
      if (batch === undefined) continue;
      chars += batch.chars;
      group.push(batch);
    }
    if (group.length > 0) void this.#commit(group);
    this.#setRound();
    this.#finishClosing();
  }

  /** Half of what is due while nothing is on its way, so that the next half is decided while this one is written. */
  #share(): number {
    return this.#groups > 0 ? this.#due.length : Math.max(minShare, Math.ceil(this.#due.length / 2));
  }

  /** A batch that is to be committed. One that changes nothing is told at once. */
  #decide(thread: CachedThread, clockMs: number): Batch | undefined {
    let image: ThreadImage;
    try {
      image = this.#imageOf(thread);
    } catch (fault) {
      return this.#refuse(thread, fault);
    }
    const batch = new Batch(thread, image, this.#engine, { clockMs, protect: this.#protect });
    batch.decideCalls();
    if (batch.changes.length > 0) {
      thread.state = 'committing';
      return batch;
    }
    thread.image = batch.image;
    this.#settle(thread, batch.calls);
    return undefined;
  }

  #refuse(thread: CachedThread, fault: unknown): undefined {
    const { calls } = thread;
    thread.calls = [];
    for (const call of calls) call.verdict = { is: 'refused', fault };
    this.#settle(thread, calls);
  }

  async #commit(group: readonly Batch[]): Promise<void> {
    this.#groups += 1;
    try {
      await this.#engine.commit(group.flatMap((batch) => batch.changes));
    } catch (cause) {
      this.#fail(cause);
    }
    this.#groups -= 1;
    if (this.#mode.is === 'open') this.#acknowledge(group);
    else this.#reject(group, this.#mode.fault);
    this.#setRound();
    this.#finishClosing();
    if (this.#mode.is === 'read-only') return;
    for (const { thread } of group) for (const listener of this.#listeners) listener(thread.key);
  }

  #acknowledge(group: readonly Batch[]): void {
    const cooling = this.#cooling;
    this.#cooling = [];
    for (const batch of group) {
      const { thread } = batch;
      this.#waiting += batch.image.index.waiting - (thread.image ?? absent).index.waiting;
      thread.image = batch.image;
      for (const change of batch.changes) remember(thread.recent, change);
      if (!isBusy(batch.image.lane)) this.#cooling.push(thread);
      this.#settle(thread, batch.calls);
    }
    for (const thread of cooling) if (!isBusy(thread.image?.lane)) thread.recent.clear();
  }

  #reject(group: readonly Batch[], fault: Fault): void {
    for (const { thread, calls } of group) {
      for (const call of calls) call.reject(fault);
      this.#refuse(thread, fault);
    }
  }

  #settle(thread: CachedThread, calls: readonly Call[]): void {
    thread.state = 'idle';
    if (thread.calls.length > 0) this.#makeDue(thread);
    this.#cache.resized(thread);
    for (const call of calls) tell(call);
  }

  /** Nothing is written, or acknowledged, after a commit that may or may not be on disk. */
  #fail(cause: unknown): void {
    if (this.#mode.is !== 'open') return;
    const fault = new Fault('store-failed', 'a commit failed; the store is read-only until it is reopened', { cause });
    this.#mode = { is: 'read-only', fault };
    this.#due = [];
    for (const thread of this.#cache.all()) if (thread.state === 'due') this.#refuse(thread, fault);
  }

  async findLane(key: ThreadKey): Promise<Lane | undefined> {
    this.#assertReadable();
    const thread = this.#cache.use(key);
    const { lane, head } = this.#imageOf(thread);
    this.#cache.resized(thread);
    return lane === undefined || lane.head === head ? lane : { ...lane, head };
  }

  async findRecord<Kind extends RecordKind>(
    key: ThreadKey,
    kind: Kind,
    id: string,
  ): Promise<Records[Kind] | undefined> {
    const thread = this.#find(key);
    if (thread === undefined) return undefined;
    const recent = this.#cache.find(key)?.recent.find(kind, id);
    const text = recent === undefined ? this.#engine.readRecord(thread, kind, id) : recent.text;
    return text === undefined ? undefined : (parseObject(text, { thread: key, kind, id }) as Records[Kind]);
  }

  async listRecords<Kind extends RecordKind>(
    key: ThreadKey,
    kind: Kind,
    after: string,
    limit: number,
  ): Promise<readonly Records[Kind][]> {
    const thread = this.#find(key);
    const rows = thread === undefined ? [] : this.#engine.listRecords(thread, kind, after, limit);
    return rows.map(({ id, text }) => parseObject(text, { thread: key, kind, id }) as Records[Kind]);
  }

  async readEvents(key: ThreadKey, after: number, limit: number): Promise<readonly RunEvent[]> {
    this.#assertReadable();
    const cached = this.#cache.find(key);
    // The engine may have a commit already that this side has not been told of.
    const head = cached?.image?.head ?? Number.POSITIVE_INFINITY;
    if (after >= head) return [];
    const recent = cached?.recent.read(key, after, limit);
    if (recent !== undefined) return recent;
    const thread = this.#find(key);
    const chunks = thread === undefined ? [] : this.#engine.readChunks(thread, after, limit);
    return chunks
      .flatMap((chunk) => parseEvents(chunk.text, { thread: key, kind: 'event', id: String(chunk.first) }))
      .filter(({ seq }) => seq > after && seq <= head)
      .slice(0, limit);
  }

  async list<Kind extends ListedKind>(query: ListQuery<Kind>): Promise<readonly Listed<Kind>[]> {
    this.#assertReadable();
    const { scope, kind, threadId, label, before, limit } = query;
    const thread = threadId === undefined ? undefined : this.#find({ scope, threadId });
    if (threadId !== undefined && thread === undefined) return [];
    return this.#engine.list({ scope, kind, thread, label, before, limit }).map(({ thread: of, key, id, text }) => ({
      thread: of,
      key,
      value: parseObject(text, { thread: of, kind, id }) as Records[Kind],
    }));
  }

  async count({ scope, kind, threadId, labels, from }: CountQuery): Promise<number> {
    this.#assertReadable();
    const thread = threadId === undefined ? undefined : this.#find({ scope, threadId });
    if (threadId !== undefined && thread === undefined) return 0;
    return this.#engine.count({ scope, kind, thread, labels, from });
  }

  waiting(): number {
    return this.#waiting;
  }

  async listThreads(scope: Scope, after: string, limit: number): Promise<readonly ThreadKey[]> {
    this.#assertReadable();
    return this.#engine.listThreads(scope, after, limit);
  }

  async locate(scope: Scope, kind: 'run' | 'ticket', id: string): Promise<ThreadKey | undefined> {
    this.#assertReadable();
    return this.#engine.locate(scope, kind, id);
  }

  async ready(after: ReadyCursor | undefined, limit: number): Promise<readonly ReadyThread[]> {
    this.#assertReadable();
    return readyInTurns(this.#engine, after, limit);
  }

  async due(beforeMs: number, limit: number): Promise<readonly ThreadKey[]> {
    this.#assertReadable();
    return this.#engine.due(beforeMs, limit);
  }

  async nextDueMs(): Promise<number | undefined> {
    this.#assertReadable();
    return this.#engine.nextDueMs();
  }

  async held(after: ThreadKey | undefined, limit: number): Promise<readonly ThreadKey[]> {
    this.#assertReadable();
    return this.#engine.held(after, limit);
  }

  #find(key: ThreadKey): StoredThread | undefined {
    this.#assertReadable();
    return this.#cache.find(key)?.image?.stored ?? this.#engine.findThread(key);
  }

  #imageOf(thread: CachedThread): ThreadImage {
    if (thread.image !== undefined) return thread.image;
    thread.image = this.#load(thread.key);
    return thread.image;
  }

  #load(key: ThreadKey): ThreadImage {
    const stored = this.#engine.findThread(key);
    if (stored === undefined) return absent;
    const name = { thread: key, kind: 'lane', id: '' };
    const text = this.#engine.readLane(stored) ?? '';
    const lane = parseObject(text, name) as Lane;
    const last = this.#engine.readHead(stored);
    this.#protect(lane);
    return {
      stored,
      lane,
      laneChars: text.length,
      index: indexOf(lane),
      head: Math.max(lane.head, last.seq),
      lastMs: last.atMs,
      appended: undefined,
    };
  }

  #assertReadable(): void {
    if (this.#mode.is === 'closed') throw this.#mode.fault;
  }

  watch(listener: (thread: ThreadKey) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async purge(olderThanMs: number, limit: number): Promise<number> {
    if (this.#mode.is !== 'open') throw this.#mode.fault;
    const events = await this.#engine.purge(olderThanMs, limit);
    if (events > 0) for (const thread of this.#cache.all()) thread.recent.clear();
    return events;
  }

  health(): StoreHealth {
    const refusal = this.#mode.is === 'open' ? this.#engine.refusal() : this.#mode.fault;
    return refusal === undefined ? { is: 'open' } : { is: 'read-only', why: refusal };
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = deferred();
      this.#finishClosing();
    }
    return this.#closing.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Once everything accepted before `close` is told. */
  #finishClosing(): void {
    if (this.#closing === undefined || this.#mode.is === 'closed' || this.#groups > 0 || this.#due.length > 0) return;
    this.#mode = { is: 'closed', fault: closedFault() };
    this.#engine.close().then(this.#closing.resolve, this.#closing.reject);
  }
}

/** Whether more turns of a thread, and followers of it, are to be expected soon. */
function isBusy(lane: Lane | undefined): boolean {
  return lane !== undefined && (lane.open !== undefined || lane.queue.length > 0);
}

function remember(recent: Recent, change: Change): void {
  if (change.is === 'drop') recent.clear();
  else {
    if (change.created) recent.begin();
    for (const record of change.records) recent.put(record);
    for (const chunk of change.chunks) recent.push(chunk);
  }
}

function closedFault(): Fault {
  return new Fault('store-failed', 'the store is closed');
}
