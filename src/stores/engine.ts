import type { Scope, ThreadKey } from '../../schemas/id.ts';
import type { Fault } from '../fault.ts';
import type { ListedKind } from '../lane/filing.ts';
import type { RecordKind } from '../lane/records.ts';
import type { EventChunk } from './event-chunk.ts';
import type { ReadyLookup } from './fair-order.ts';
import type { Filed } from './filed.ts';
import type { LaneIndex } from './lane-index.ts';

/** A thread and the number all of it is kept under. A recreated thread has another number. */
export interface StoredThread {
  readonly id: number;
  readonly key: ThreadKey;
}

export interface LaneChange {
  readonly text: string;
  readonly index: LaneIndex;
  /** Whether a search for ready or due threads finds it otherwise than before. */
  readonly moves: boolean;
}

/** Without a text it is removed. */
export interface RecordChange {
  readonly kind: RecordKind;
  readonly id: string;
  readonly text: string | undefined;
  readonly filed: Filed | undefined;
}

/** What one thread's batch changes, in this order. A thread's first change has a lane. */
export type Change =
  | {
      readonly is: 'turns';
      readonly thread: StoredThread;
      readonly created: boolean;
      readonly lane: LaneChange | undefined;
      readonly records: readonly RecordChange[];
      readonly chunks: readonly EventChunk[];
    }
  | { readonly is: 'drop'; readonly thread: StoredThread };

/** A `ListQuery` over the scope, or over this thread alone. */
export interface EngineListQuery {
  readonly scope: Scope;
  readonly kind: ListedKind;
  readonly thread: StoredThread | undefined;
  readonly label: string | undefined;
  readonly before: string | undefined;
  readonly limit: number;
}
/** A `CountQuery` over the scope, or over this thread alone. */
export interface EngineCountQuery {
  readonly scope: Scope;
  readonly kind: ListedKind;
  readonly thread: StoredThread | undefined;
  readonly labels: readonly string[];
  readonly from: string;
}
export interface ListedText {
  readonly thread: ThreadKey;
  readonly key: string;
  readonly id: string;
  readonly text: string;
}

/**
 * Keeps texts; what they mean and in which order they change is the turn store's. Reads are synchronous and see exactly
 * what has been committed. @throws Fault `record-unreadable` where a row has another format version
 */
export interface Engine extends ReadyLookup {
  /** Gives out the number of a thread to be created. */
  newThread(key: ThreadKey): StoredThread;
  findThread(key: ThreadKey): StoredThread | undefined;
  readLane(thread: StoredThread): string | undefined;
  /** The number and time of its last event; zeros for none. */
  readHead(thread: StoredThread): { readonly seq: number; readonly atMs: number };
  readRecord(thread: StoredThread, kind: RecordKind, id: string): string | undefined;
  listRecords(
    thread: StoredThread,
    kind: RecordKind,
    after: string,
    limit: number,
  ): readonly { id: string; text: string }[];
  /** The chunks that hold the first `limit` events above `after`; the first may begin before, the last end behind. */
  readChunks(thread: StoredThread, after: number, limit: number): readonly EventChunk[];
  /** @see Store.list */
  list(query: EngineListQuery): readonly ListedText[];
  /** @see Store.count */
  count(query: EngineCountQuery): number;
  /** How many requests wait in all lanes. Asked before the first commit of an opening; who commits counts on from it. */
  readWaiting(): number;
  listThreads(scope: Scope, after: string, limit: number): readonly ThreadKey[];
  locate(scope: Scope, kind: 'run' | 'ticket', id: string): ThreadKey | undefined;
  due(beforeMs: number, limit: number): readonly ThreadKey[];
  nextDueMs(): number | undefined;
  held(after: ThreadKey | undefined, limit: number): readonly ThreadKey[];

  /** All of it or nothing, durably; commits take effect in the order of the calls. After one failed, all fail. */
  commit(changes: readonly Change[]): Promise<void>;
  /** @see Store.purge */
  purge(olderThanMs: number, limit: number): Promise<number>;
  /** Why no write is taken for now. */
  refusal(): Fault | undefined;
  close(): Promise<void>;
}
