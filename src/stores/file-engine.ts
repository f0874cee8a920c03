import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Scope, ThreadKey } from '../../schemas/id.ts';
import { Fault } from '../fault.ts';
import type { RecordKind } from '../lane/records.ts';
import { DirectoryLock } from './directory-lock.ts';
import type { Change, Engine, EngineCountQuery, EngineListQuery, ListedText, StoredThread } from './engine.ts';
import { chunksAbove, type EventChunk } from './event-chunk.ts';
import type { ReadyFound, ReadyPlace } from './fair-order.ts';
import { isCounted, isListed } from './filed.ts';
import type { FreeSpace } from './free-space.ts';
import { type FiledText, Reader } from './reader.ts';
import { encodeChanges } from './change-text.ts';
import { compareKeys, sortByKey } from './safe-key.ts';
import type { WriterAnswer, WriterData, WriterRequest } from './sqlite-messages.ts';
import type { Database } from './sqlite.ts';
import { sqliteWorkerFile } from './sqlite-worker-file.ts';
import { connect, databaseName } from './tables.ts';
import { compareThreads } from './thread-key.ts';
import { Unapplied } from './unapplied.ts';

export interface FileEngineOptions {
  readonly directory: string;
  readonly freeSpace: FreeSpace;
  readonly tuning: FileTuning;
}

export interface FileTuning {
  /**
   * How much is committed before it is applied to the tables, as text. More: pages are written less often; less: a start
   * after a crash has less to redo, and less is in memory.
   */
  readonly generationChars: number;
  /** How many commits of a new thread go straight to the tables; the one that makes it always does. */
  readonly directCommits: number;
}

/** So many new threads are counted at once; with more, all of them count as old. */
const maxYoung = 16_384;

interface Opened extends FileTuning {
  readonly lock: DirectoryLock;
  readonly worker: Worker;
  readonly freeSpace: FreeSpace;
  readonly lastThread: number;
}

/** A request on its way; the writer answers in order. */
interface Waiting {
  readonly changes: readonly Change[];
  readonly resolve: (answer: WriterAnswer) => void;
  readonly reject: (fault: Fault) => void;
}

/**
 * A directory with an SQLite database: one connection writes, in a thread of its own; one reads, here. What has been
 * committed and is not yet in the tables the reader sees is kept here too.
 *
 * Modes: open → the writer fails or ends → every commit fails; → close → closed.
 */
export class FileEngine implements Engine {
  readonly #lock: DirectoryLock;
  readonly #worker: Worker;
  readonly #db: Database;
  readonly #reader: Reader;
  readonly #freeSpace: FreeSpace;
  readonly #unapplied = new Unapplied();
  /** Of threads made by this process, how often each was committed; see `#isDirect`. */
  readonly #young = new Map<number, number>();
  readonly #waiting: Waiting[] = [];
  readonly #directCommits: number;
  #lastThread: number;
  #ended: Fault | undefined;

  private constructor({ lock, worker, freeSpace, directCommits, lastThread }: Opened) {
    this.#lock = lock;
    this.#worker = worker;
    this.#directCommits = directCommits;
    this.#lastThread = lastThread;
    this.#freeSpace = freeSpace;
    this.#db = connect(join(lock.directory, databaseName), { readOnly: true });
    this.#reader = new Reader(this.#db);
    worker.on('message', (answer: WriterAnswer) => {
      this.#answered(answer);
    });
    worker.on('error', (cause) => {
      this.#end(new Fault('store-failed', `the writer of ${lock.directory} broke down`, { cause }));
    });
    worker.on('exit', () => {
      this.#end(new Fault('store-failed', `the writer of ${lock.directory} has ended`));
    });
  }

  /** @throws Fault `store-failed` when the directory is in use, cannot be written, or has another format */
  static async open({ directory, freeSpace, tuning }: FileEngineOptions): Promise<FileEngine> {
    const lock = DirectoryLock.acquire(directory);
    const workerData: WriterData = { file: join(directory, databaseName), generationChars: tuning.generationChars };
    const worker = new Worker(sqliteWorkerFile, { workerData });
    try {
      const [answer] = (await once(worker, 'message')) as [WriterAnswer];
      if (answer.is === 'failed') throw failedFault(answer);
      if (answer.is !== 'opened') throw new Error(`the writer's first word was ${answer.is}`);
      return new FileEngine({ lock, worker, freeSpace, ...tuning, ...answer });
    } catch (error) {
      await worker.terminate();
      lock.release();
      throw error;
    }
  }

  newThread(key: ThreadKey): StoredThread {
    this.#lastThread += 1;
    return { id: this.#lastThread, key };
  }

  findThread(key: ThreadKey): StoredThread | undefined {
    const id = this.#reader.findThread(key);
    return id === undefined ? undefined : { id, key };
  }

  readLane(thread: StoredThread): string | undefined {
    return this.#unapplied.lane(thread.id)?.text ?? this.#reader.record(thread, 'lane', '');
  }

  readHead(thread: StoredThread): { seq: number; atMs: number } {
    const last = this.#unapplied.lastChunk(thread.id);
    return last === undefined ? this.#reader.head(thread) : { seq: last.last, atMs: last.lastAtMs };
  }

  readRecord(thread: StoredThread, kind: RecordKind, id: string): string | undefined {
    const record = this.#unapplied.record(thread.id, kind, id);
    return record === undefined ? this.#reader.record(thread, kind, id) : record.text;
  }

  listRecords(thread: StoredThread, kind: RecordKind, after: string, limit: number): { id: string; text: string }[] {
    const newer = new Map<string, string | undefined>();
    for (const { records } of this.#unapplied.of(thread.id)) {
      for (const record of records.values()) {
        const isBehind = after === '' || compareKeys(record.id, after) > 0;
        if (record.kind === kind && isBehind) newer.set(record.id, record.text);
      }
    }
    const rows = this.#reader.listRecords(thread, kind, after, limit + newer.size);
    if (newer.size === 0) return rows;
    const texts = new Map<string, string | undefined>([...rows.map(({ id, text }) => [id, text] as const), ...newer]);
    return [...texts]
      .flatMap(([id, text]) => (text === undefined ? [] : [{ id, text }]))
      .toSorted((a, b) => compareKeys(a.id, b.id))
      .slice(0, limit);
  }

  readChunks(thread: StoredThread, after: number, limit: number): EventChunk[] {
    const chunks = this.#isUnapplied(thread, after) ? [] : this.#reader.chunks(thread, after, limit);
    for (const { chunks: newer } of this.#unapplied.of(thread.id)) {
      // Some of what waits here may have been applied meanwhile, and have been read already.
      const at = chunks.at(-1)?.last ?? after;
      if (at < after + limit) chunks.push(...chunksAbove(newer, at, after + limit - at));
    }
    return chunks;
  }

  list(query: EngineListQuery): ListedText[] {
    const listed: ListedText[] = [];
    if (query.limit < 1) return listed;
    for (const { stored, thread, key, id, text } of this.#newestFirst(query)) {
      const of = thread ?? this.#reader.findKey(stored);
      if (of !== undefined && listed.push({ thread: of, key, id, text }) >= query.limit) break;
    }
    return listed;
  }

  /** What is unapplied, and between it what is in the tables and was not changed since. */
  *#newestFirst(query: EngineListQuery): Generator<FiledText> {
    const newer: FiledText[] = [];
    for (const [stored, { id, text, filed }] of this.#unapplied.ofKind(query.kind, query.thread?.id)) {
      if (text === undefined || filed === undefined || !isListed(filed, query)) continue;
      newer.push({ stored, thread: undefined, key: filed.key, id, text });
    }
    const sorted = sortByKey(newer, ({ key }) => key);
    for (const row of this.#reader.list(query)) {
      for (let next = sorted.at(-1); next !== undefined && compareKeys(next.key, row.key) > 0; next = sorted.at(-1)) {
        sorted.pop();
        yield next;
      }
      if (this.#unapplied.record(row.stored, query.kind, row.id) === undefined) yield row;
    }
    yield* sorted.toReversed();
  }

  count(query: EngineCountQuery): number {
    return this.#reader.atOnce(() => {
      let count = this.#reader.count(query);
      for (const [thread, { id, filed }] of this.#unapplied.ofKind(query.kind, query.thread?.id)) {
        const applied = this.#reader.filed(thread, query.kind, id);
        if (applied !== undefined && isCounted(applied, query)) count -= 1;
        if (filed !== undefined && isCounted(filed, query)) count += 1;
      }
      return count;
    });
  }

  readWaiting(): number {
    return this.#reader.readWaiting();
  }

  listThreads(scope: Scope, after: string, limit: number): ThreadKey[] {
    return this.#reader.listThreads(scope, after, limit).map(({ key }) => key);
  }

  locate(scope: Scope, kind: 'run' | 'ticket', id: string): ThreadKey | undefined {
    for (const generation of this.#unapplied.generations()) {
      for (const thread of generation.keys()) {
        if (this.#unapplied.record(thread, kind, id)?.text === undefined) continue;
        const key = this.#reader.findKey(thread);
        if (key?.scope === scope) return key;
      }
    }
    const places = this.#reader.places(scope, kind, id);
    return places.find((thread) => this.readRecord(thread, kind, id) !== undefined)?.key;
  }

  due(beforeMs: number, limit: number): ThreadKey[] {
    return this.#reader.due(beforeMs, limit);
  }

  nextDueMs(): number | undefined {
    return this.#reader.nextDueMs();
  }

  held(after: ThreadKey | undefined, limit: number): ThreadKey[] {
    const newer = new Map<number, boolean>();
    for (const generation of this.#unapplied.generations()) {
      for (const [id, { lane }] of generation) if (lane !== undefined) newer.set(id, lane.index.held);
    }
    const rows = this.#reader.held(after, limit + newer.size).filter(({ id }) => !newer.has(id));
    const held = [...newer]
      .map(([id, isHeld]) => (isHeld ? this.#reader.findKey(id) : undefined))
      .filter((key) => key !== undefined)
      .filter((key) => after === undefined || compareThreads(key, after) > 0);
    return [...rows.map(({ key }) => key), ...held].toSorted(compareThreads).slice(0, limit);
  }

  nextScope(after: Scope): Scope | undefined {
    return this.#reader.nextScope(after);
  }

  nextActor(scope: Scope, after: string): string | undefined {
    return this.#reader.nextActor(scope, after);
  }

  nextThread(scope: Scope, actor: string, after: ReadyPlace | undefined): ReadyFound | undefined {
    return this.#reader.nextThread(scope, actor, after);
  }

  async commit(changes: readonly Change[]): Promise<void> {
    const direct: Change[] = [];
    const deferred: Change[] = [];
    for (const change of changes) {
      const isDirect = this.#isDirect(change);
      // At once too, since the next thread may have its name.
      if (isDirect || change.is === 'drop') direct.push(change);
      if (!isDirect) deferred.push(change);
    }
    await this.#ask({ is: 'commit', direct: encodeChanges(direct), redo: encodeChanges(deferred) }, deferred);
  }

  async purge(olderThanMs: number, limit: number): Promise<number> {
    const answer = await this.#ask({ is: 'purge', olderThanMs, limit });
    return answer.is === 'purged' ? answer.events : 0;
  }

  refusal(): Fault | undefined {
    return this.#freeSpace.refusal();
  }

  async close(): Promise<void> {
    // First, so that nobody reads any more when the writer clears up behind itself.
    this.#db.close();
    try {
      if (this.#ended === undefined) await this.#ask({ is: 'close' });
    } finally {
      await this.#worker.terminate();
      this.#lock.release();
    }
  }

  #ask(request: WriterRequest, changes: readonly Change[] = []): Promise<WriterAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      this.#waiting.push({ changes, resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      this.#worker.postMessage(request);
    });
  }

  #answered(answer: WriterAnswer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    if (answer.is === 'failed') {
      waiting.reject(failedFault(answer));
      return;
    }
    if (answer.is === 'purged') this.#unapplied.clear();
    if (answer.is === 'committed') {
      for (const change of waiting.changes) this.#keep(change);
      if (answer.froze) this.#unapplied.freeze();
      if (answer.applied) this.#unapplied.thaw();
    }
    waiting.resolve(answer);
  }

  #end(fault: Fault): void {
    this.#ended ??= fault;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(fault);
  }

  #keep(change: Change): void {
    const { id } = change.thread;
    if (change.is === 'drop') {
      this.#unapplied.drop(id);
      return;
    }
    if (change.lane !== undefined) this.#unapplied.addLane(id, change.lane.text, change.lane.index);
    for (const record of change.records) this.#unapplied.addRecord(id, record);
    for (const chunk of change.chunks) this.#unapplied.addEvents(id, chunk);
  }

  /** Whether all events above a number wait to be applied: followers of what happens now do not touch the disk. */
  #isUnapplied(thread: StoredThread, after: number): boolean {
    const [oldest] = this.#unapplied.of(thread.id);
    return oldest?.chunks[0] !== undefined && after >= oldest.chunks[0].first - 1;
  }

  /**
   * The first commits of a new thread go straight to the tables, where its rows are beside those of the other new ones.
   * Later, threads lie apart and a commit would write some pages for each of them: it goes by the redo log. A thread that
   * has begun to never goes back, so that nothing older waits to be applied over what is newer.
   */
  #isDirect(change: Change): boolean {
    const { id } = change.thread;
    if (change.is === 'turns' && change.created) {
      if (this.#young.size >= maxYoung) this.#young.clear();
      this.#young.set(id, 1);
      return true;
    }
    const commits = this.#young.get(id);
    if (commits === undefined) return false;
    const isDirect = commits < this.#directCommits;
    if (isDirect) this.#young.set(id, commits + 1);
    else this.#young.delete(id);
    return isDirect;
  }
}

function failedFault({ why, retryable }: { readonly why: string; readonly retryable: boolean }): Fault {
  return new Fault('store-failed', why, { retryable });
}
