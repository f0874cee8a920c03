import type { Fault } from '../../src/fault.ts';
import type { RecordKind } from '../../src/lane/records.ts';
import type {
  Change,
  Engine,
  EngineCountQuery,
  EngineListQuery,
  ListedText,
  StoredThread,
} from '../../src/stores/engine.ts';
import type { EventChunk } from '../../src/stores/event-chunk.ts';
import type { ReadyFound, ReadyPlace } from '../../src/stores/fair-order.ts';
import type { Scope, ThreadKey } from '../../schemas/id.ts';

/** An engine whose n-th commit fails: before anything of it is kept, or after all of it is, as a failed sync may be. */
export class FailingEngine implements Engine {
  readonly #engine: Engine;
  readonly #failAt: number;
  readonly #when: 'before' | 'after';
  #commits = 0;

  constructor(engine: Engine, failAt: number, when: 'before' | 'after') {
    this.#engine = engine;
    this.#failAt = failAt;
    this.#when = when;
  }

  /** How many commits were asked for. */
  get commits(): number {
    return this.#commits;
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#commits += 1;
    const fails = this.#commits >= this.#failAt;
    if (fails && (this.#when === 'before' || this.#commits > this.#failAt))
      throw new Error('injected: nothing is kept');
    await this.#engine.commit(changes);
    if (fails) throw new Error('injected: all is kept');
  }

  newThread(key: ThreadKey): StoredThread {
    return this.#engine.newThread(key);
  }
  findThread(key: ThreadKey): StoredThread | undefined {
    return this.#engine.findThread(key);
  }
  readLane(thread: StoredThread): string | undefined {
    return this.#engine.readLane(thread);
  }
  readHead(thread: StoredThread): { readonly seq: number; readonly atMs: number } {
    return this.#engine.readHead(thread);
  }
  readRecord(thread: StoredThread, kind: RecordKind, id: string): string | undefined {
    return this.#engine.readRecord(thread, kind, id);
  }
  listRecords(
    thread: StoredThread,
    kind: RecordKind,
    after: string,
    limit: number,
  ): readonly { id: string; text: string }[] {
    return this.#engine.listRecords(thread, kind, after, limit);
  }
  readChunks(thread: StoredThread, after: number, limit: number): readonly EventChunk[] {
    return this.#engine.readChunks(thread, after, limit);
  }
  list(query: EngineListQuery): readonly ListedText[] {
    return this.#engine.list(query);
  }
  count(query: EngineCountQuery): number {
    return this.#engine.count(query);
  }
  readWaiting(): number {
    return this.#engine.readWaiting();
  }
  listThreads(scope: Scope, after: string, limit: number): readonly ThreadKey[] {
    return this.#engine.listThreads(scope, after, limit);
  }
  locate(scope: Scope, kind: 'run' | 'ticket', id: string): ThreadKey | undefined {
    return this.#engine.locate(scope, kind, id);
  }
  due(beforeMs: number, limit: number): readonly ThreadKey[] {
    return this.#engine.due(beforeMs, limit);
  }
  nextDueMs(): number | undefined {
    return this.#engine.nextDueMs();
  }
  held(after: ThreadKey | undefined, limit: number): readonly ThreadKey[] {
    return this.#engine.held(after, limit);
  }
  nextScope(after: Scope): Scope | undefined {
    return this.#engine.nextScope(after);
  }
  nextActor(scope: Scope, after: string): string | undefined {
    return this.#engine.nextActor(scope, after);
  }
  nextThread(scope: Scope, actor: string, after: ReadyPlace | undefined): ReadyFound | undefined {
    return this.#engine.nextThread(scope, actor, after);
  }
  purge(olderThanMs: number, limit: number): Promise<number> {
    return this.#engine.purge(olderThanMs, limit);
  }
  refusal(): Fault | undefined {
    return this.#engine.refusal();
  }
  close(): Promise<void> {
    return this.#engine.close();
  }
}
