import type { Scope, ThreadKey } from '../../schemas/id.ts';
import type { Run } from '../../schemas/run.ts';
import type { Lane } from '../lane/lane.ts';
import type { RecordKind } from '../lane/records.ts';
import type {
  Change,
  Engine,
  EngineCountQuery,
  EngineListQuery,
  ListedText,
  RecordChange,
  StoredThread,
} from './engine.ts';
import { chunkBehind, chunksAbove, type EventChunk } from './event-chunk.ts';
import type { ReadyFound, ReadyPlace } from './fair-order.ts';
import { type Filed, isCounted, isListed } from './filed.ts';
import { FiledIndex } from './filed-index.ts';
import { blankIndex, type LaneIndex } from './lane-index.ts';
import { parseEvents } from './record-text.ts';
import { evictableUpTo, isOver } from './retention.ts';
import { compareKeys, sortByKey } from './safe-key.ts';
import { compareThreads } from './thread-key.ts';

interface MemoryRecord {
  readonly thread: ThreadKey;
  readonly id: string;
  text: string;
  filed: Filed | undefined;
}

interface MemoryThread {
  readonly stored: StoredThread;
  lane: string | undefined;
  index: LaneIndex;
  /** By kind, then id. */
  readonly records: Map<RecordKind, Map<string, MemoryRecord>>;
  chunks: EventChunk[];
}

/** Keeps the same texts as the file engine, for as long as the process lives. Searches but `locate` and lists look at every thread. */
export class MemoryEngine implements Engine {
  readonly #threads = new Map<number, MemoryThread>();
  readonly #ids = new Map<Scope, Map<string, number>>();
  /** Where runs and tickets are: each request of one looks there. */
  readonly #places = new Map<string, StoredThread>();
  readonly #filed = new FiledIndex<MemoryRecord>();
  #lastId = 0;

  newThread(key: ThreadKey): StoredThread {
    this.#lastId += 1;
    return { id: this.#lastId, key };
  }

  findThread({ scope, threadId }: ThreadKey): StoredThread | undefined {
    const id = this.#ids.get(scope)?.get(threadId);
    return id === undefined ? undefined : this.#threads.get(id)?.stored;
  }

  readLane({ id }: StoredThread): string | undefined {
    return this.#threads.get(id)?.lane;
  }

  readHead({ id }: StoredThread): { seq: number; atMs: number } {
    const last = this.#threads.get(id)?.chunks.at(-1);
    return { seq: last?.last ?? 0, atMs: last?.lastAtMs ?? 0 };
  }

  readRecord(thread: StoredThread, kind: RecordKind, id: string): string | undefined {
    return this.#threads.get(thread.id)?.records.get(kind)?.get(id)?.text;
  }

  listRecords(thread: StoredThread, kind: RecordKind, after: string, limit: number): { id: string; text: string }[] {
    return [...(this.#threads.get(thread.id)?.records.get(kind) ?? [])]
      .filter(([id]) => after === '' || compareKeys(id, after) > 0)
      .toSorted(([a], [b]) => compareKeys(a, b))
      .slice(0, limit)
      .map(([id, { text }]) => ({ id, text }));
  }

  readChunks({ id }: StoredThread, after: number, limit: number): readonly EventChunk[] {
    return chunksAbove(this.#threads.get(id)?.chunks ?? [], after, limit);
  }

  list(query: EngineListQuery): ListedText[] {
    const { kind, thread, limit } = query;
    const records = thread === undefined ? this.#filed.list(query) : this.#recordsOf(thread, kind);
    const listed = records.flatMap(({ thread: of, id, text, filed }) =>
      filed !== undefined && isListed(filed, query) ? [{ thread: of, key: filed.key, id, text }] : [],
    );
    if (thread === undefined) return listed;
    return sortByKey(listed, ({ key }) => key)
      .toReversed()
      .slice(0, limit);
  }

  count(query: EngineCountQuery): number {
    const { kind, thread } = query;
    if (thread === undefined) return this.#filed.count(query);
    return this.#recordsOf(thread, kind).filter(({ filed }) => filed !== undefined && isCounted(filed, query)).length;
  }

  #recordsOf({ id }: StoredThread, kind: RecordKind): MemoryRecord[] {
    return [...(this.#threads.get(id)?.records.get(kind)?.values() ?? [])];
  }

  readWaiting(): number {
    return [...this.#threads.values()].reduce((waiting, { index }) => waiting + index.waiting, 0);
  }

  listThreads(scope: Scope, after: string, limit: number): ThreadKey[] {
    return this.#keys(() => true)
      .filter((key) => key.scope === scope && compareKeys(key.threadId, after) > 0)
      .slice(0, limit);
  }

  locate(scope: Scope, kind: 'run' | 'ticket', id: string): ThreadKey | undefined {
    return this.#places.get(placeOf(scope, kind, id))?.key;
  }

  due(beforeMs: number, limit: number): ThreadKey[] {
    return this.#wakes()
      .filter(({ atMs }) => atMs <= beforeMs)
      .toSorted((a, b) => a.atMs - b.atMs || a.thread.id - b.thread.id)
      .slice(0, limit)
      .map(({ thread }) => thread.key);
  }

  nextDueMs(): number | undefined {
    const [first, ...others] = this.#wakes().map(({ atMs }) => atMs);
    return first === undefined ? undefined : others.reduce((a, b) => Math.min(a, b), first);
  }

  held(after: ThreadKey | undefined, limit: number): ThreadKey[] {
    return this.#keys((index) => index.held)
      .filter((key) => after === undefined || compareThreads(key, after) > 0)
      .slice(0, limit);
  }

  nextScope(after: Scope): Scope | undefined {
    return firstBehind(
      after,
      this.#ready().map(({ thread }) => thread.scope),
    );
  }

  nextActor(scope: Scope, after: string): string | undefined {
    const ready = this.#ready().filter(({ thread }) => thread.scope === scope);
    return firstBehind(
      after,
      ready.map(({ actor }) => actor),
    );
  }

  nextThread(scope: Scope, actor: string, after: ReadyPlace | undefined): ReadyFound | undefined {
    return this.#ready()
      .filter((found) => found.thread.scope === scope && found.actor === actor)
      .toSorted(comparePlaces)
      .find((found) => after === undefined || comparePlaces(found, after) > 0);
  }

  commit(changes: readonly Change[]): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        for (const change of changes) this.#apply(change);
        resolve();
      });
    });
  }

  async purge(olderThanMs: number, limit: number): Promise<number> {
    let left = limit;
    let evicted = 0;
    for (const thread of this.#threads.values()) {
      if (left === 0) break;
      const events = this.#evict(thread, olderThanMs);
      evicted += events;
      if (events > 0) left -= 1;
    }
    return evicted;
  }

  refusal(): undefined {
    return undefined;
  }

  async close(): Promise<void> {}

  #apply(change: Change): void {
    const { id, key } = change.thread;
    if (change.is === 'drop') {
      for (const [kind, ofKind] of this.#threads.get(id)?.records ?? []) {
        for (const record of ofKind.values()) this.#forget(kind, record);
      }
      this.#threads.delete(id);
      this.#ids.get(key.scope)?.delete(key.threadId);
      return;
    }
    if (change.created) this.#create(change.thread);
    const thread = this.#threads.get(id);
    if (thread === undefined) return;
    if (change.lane !== undefined) {
      thread.lane = change.lane.text;
      thread.index = change.lane.index;
    }
    for (const record of change.records) this.#put(thread, record);
    thread.chunks.push(...change.chunks);
  }

  #put({ stored, records }: MemoryThread, { kind, id, text, filed }: RecordChange): void {
    const ofKind = records.get(kind) ?? new Map<string, MemoryRecord>();
    records.set(kind, ofKind);
    const known = ofKind.get(id);
    if (text === undefined) {
      ofKind.delete(id);
      if (known !== undefined) this.#forget(kind, known);
      return;
    }
    const record = known ?? { thread: stored.key, id, text, filed: undefined };
    ofKind.set(id, record);
    record.text = text;
    if (isLocated(kind)) this.#places.set(placeOf(stored.key.scope, kind, id), stored);
    this.#filed.move(kind, record.filed, filed, record);
    record.filed = filed;
  }

  #forget(kind: RecordKind, record: MemoryRecord): void {
    if (isLocated(kind)) this.#places.delete(placeOf(record.thread.scope, kind, record.id));
    this.#filed.move(kind, record.filed, undefined, record);
  }

  #create(stored: StoredThread): void {
    const { scope, threadId } = stored.key;
    this.#threads.set(stored.id, { stored, lane: undefined, index: blankIndex, records: new Map(), chunks: [] });
    const ofScope = this.#ids.get(scope) ?? new Map<string, number>();
    this.#ids.set(scope, ofScope.set(threadId, stored.id));
  }

  /** Returns how many events. */
  #evict(thread: MemoryThread, olderThanMs: number): number {
    const { key } = thread.stored;
    const events = thread.chunks.map((chunk) =>
      parseEvents(chunk.text, { thread: key, kind: 'event', id: String(chunk.first) }),
    );
    const runs = thread.records.get('run');
    const lane = JSON.parse(thread.lane ?? '{}') as Pick<Lane, 'subscriptions'>;
    const upTo = evictableUpTo(events, lane, (runId) => {
      const text = runs?.get(runId)?.text;
      return text !== undefined && isOver(JSON.parse(text) as Run, olderThanMs);
    });
    if (upTo === 0) return 0;
    const first = thread.chunks[0]?.first ?? 0;
    thread.chunks = events.map((chunk) => chunkBehind(chunk, upTo)).filter((chunk) => chunk !== undefined);
    return upTo - first + 1;
  }

  #keys(matches: (index: LaneIndex) => boolean): ThreadKey[] {
    return [...this.#threads.values()]
      .filter(({ index }) => matches(index))
      .map(({ stored }) => stored.key)
      .toSorted(compareThreads);
  }

  #wakes(): { readonly thread: StoredThread; readonly atMs: number }[] {
    return [...this.#threads.values()].flatMap(({ stored, index }) =>
      index.wakeAtMs === undefined ? [] : [{ thread: stored, atMs: index.wakeAtMs }],
    );
  }

  #ready(): (ReadyFound & { readonly actor: string })[] {
    return [...this.#threads.values()].flatMap(({ stored, index }) =>
      index.ready === undefined ? [] : [{ ...index.ready, id: stored.id, thread: stored.key }],
    );
  }
}

function isLocated(kind: RecordKind): boolean {
  return kind === 'run' || kind === 'ticket';
}

function placeOf(scope: Scope, kind: RecordKind, id: string): string {
  return `${scope.length}:${scope}${kind}/${id}`;
}

function firstBehind(after: string, names: readonly string[]): string | undefined {
  let first: string | undefined;
  for (const name of names) {
    if (compareKeys(name, after) > 0 && (first === undefined || compareKeys(name, first) < 0)) first = name;
  }
  return first;
}

function comparePlaces(a: ReadyPlace, b: ReadyPlace): number {
  return a.atMs - b.atMs || a.id - b.id;
}
