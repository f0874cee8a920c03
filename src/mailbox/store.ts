import type { Door, RunId, Scope, ThreadId, ThreadKey } from '../../schemas/id.ts';
import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import type { Fault } from '../fault.ts';
import type { ListedKind } from '../lane/filing.ts';
import type { Lane } from '../lane/lane.ts';
import type { Found, RecordKind, Records, Step } from '../lane/records.ts';

/** The holder's side of a claim. */
export interface Claim {
  readonly thread: ThreadKey;
  readonly runId: RunId;
  readonly attempt: number;
  readonly token: string;
}

/** Where the fair order over scopes, and over the actors of each, goes on. */
export interface ReadyCursor {
  readonly scope: Scope;
  readonly actors: Readonly<Record<Scope, string>>;
}
export interface ReadyThread {
  readonly thread: ThreadKey;
  readonly cursor: ReadyCursor;
}

export interface ListQuery<Kind extends ListedKind> {
  readonly scope: Scope;
  readonly kind: Kind;
  /** Of this thread alone; not for threads. */
  readonly threadId?: ThreadId | undefined;
  /** Only what is filed under it; see `filingOf`. */
  readonly label?: string | undefined;
  /** A `key` of the same list, exclusive; undefined: from the newest. */
  readonly before?: string | undefined;
  readonly limit: number;
}
/** Of everything that is filed under one of some labels. */
export interface CountQuery {
  readonly scope: Scope;
  readonly kind: ListedKind;
  readonly threadId?: ThreadId | undefined;
  readonly labels: readonly string[];
  /** The least `key` that counts. */
  readonly from: string;
}
export interface Listed<Kind extends ListedKind> {
  readonly thread: ThreadKey;
  /** Its place in the order. */
  readonly key: string;
  readonly value: Records[Kind];
}

export type StoreHealth =
  | { readonly is: 'open' }
  /** Reads go on; every write is refused with `store-failed` (or `disk-low`) until it is reopened. */
  | { readonly is: 'read-only'; readonly why: Fault };

/**
 * Keeps what the rules decide. One order and one numbering per thread; a commit is all or nothing; nothing is told to a
 * caller before it is durable.
 */
export interface Store {
  /**
   * One turn of one thread: hands `decide` the lane (undefined: no such thread), a reader of its records and the
   * store's time (never below the lane's last), commits what it returns all or nothing, and then resolves with its
   * outcome. `decide` is pure and may be called again; what it throws rejects this call and writes nothing. A thread has
   * at most one commit in flight; calls arriving meanwhile are decided in order, together, in its next one. A step that
   * changes nothing (the same lane, no writes) resolves without a commit of its own.
   * @throws Fault `store-failed`, `disk-low`, `record-unreadable`
   */
  update<Result>(
    thread: ThreadKey,
    decide: (lane: Lane | undefined, found: Found, nowMs: number) => Step<Result>,
  ): Promise<Result>;

  /**
   * The same turn for the holder of a claim, without the lane: fenced by its token, numbered from the same head.
   * `ordinal` counts the claim's appends from 1; a repeated one changes nothing and resolves as it did.
   * @throws Fault `claim-lost` (the token no longer holds the run), and as `update`
   */
  append(claim: Claim, ordinal: number, entries: readonly EventBody[]): Promise<{ first: number; last: number }>;

  /** The lane as committed. */
  findLane(thread: ThreadKey): Promise<Lane | undefined>;
  findRecord<Kind extends RecordKind>(thread: ThreadKey, kind: Kind, id: string): Promise<Records[Kind] | undefined>;
  /** By id, ascending, after `after` (exclusive; '' from the start). */
  listRecords<Kind extends RecordKind>(
    thread: ThreadKey,
    kind: Kind,
    after: string,
    limit: number,
  ): Promise<readonly Records[Kind][]>;
  /** Committed events with numbers above `after`, ascending. Evicted ones are missing from the front, and from a page there. */
  readEvents(thread: ThreadKey, after: number, limit: number): Promise<readonly RunEvent[]>;
  /**
   * Records of a kind over a whole scope, or of one of its threads, newest first. Fewer than `limit`: there are no more.
   * @throws Fault `record-unreadable`
   */
  list<Kind extends ListedKind>(query: ListQuery<Kind>): Promise<readonly Listed<Kind>[]>;
  /** How many records `list` would give, without reading them. */
  count(query: CountQuery): Promise<number>;
  /** How many requests wait in all queues, as committed. Does not throw. */
  waiting(): number;
  /** Threads of a scope by name, ascending, after `after` (exclusive). */
  listThreads(scope: Scope, after: string, limit: number): Promise<readonly ThreadKey[]>;
  /** The thread that has this run or ticket. */
  locate(scope: Scope, kind: 'run' | 'ticket', id: string): Promise<ThreadKey | undefined>;

  /** Threads with something to claim now, fair over scopes and, inside each, over actors. `undefined` starts anywhere. */
  ready(after: ReadyCursor | undefined, limit: number): Promise<readonly ReadyThread[]>;
  /** Threads whose wake time has come, earliest first. */
  due(beforeMs: number, limit: number): Promise<readonly ThreadKey[]>;
  /** The earliest wake time of any thread. */
  nextDueMs(): Promise<number | undefined>;
  /** Threads with something that a process has in hand: a claim, by any owner, or subscriptions. Ascending after `after`. */
  held(after: ThreadKey | undefined, limit: number): Promise<readonly ThreadKey[]>;

  /** Called after each commit that touched a thread. Lossy: a call may be missed, never the record. */
  watch(listener: (thread: ThreadKey) => void): () => void;

  /**
   * Evicts the events of runs that ended before `olderThanMs`, at most `limit` threads' worth, and none that a subscription
   * has not delivered; returns how many events.
   */
  purge(olderThanMs: number, limit: number): Promise<number>;
  health(): StoreHealth;
  /** Commits what is in flight, then lets go of the directory. Calls after it are refused with `store-failed`. */
  close(): Promise<void>;
}

/** The id of an activation's record. */
export function activationId(door: Door, key: string): string {
  return `${door}:${key}`;
}
