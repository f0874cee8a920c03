import type { Scope, ThreadKey } from '../../schemas/id.ts';
import type { EngineCountQuery, EngineListQuery, ListedText, StoredThread } from './engine.ts';
import type { EventChunk } from './event-chunk.ts';
import type { ReadyFound, ReadyPlace } from './fair-order.ts';
import type { Filed } from './filed.ts';
import { unreadable } from './record-text.ts';
import { fromSafeKey, toSafeKey } from './safe-key.ts';
import type { Database } from './sqlite.ts';
import { formatVersion } from './tables.ts';

interface ThreadRow {
  readonly scope: string;
  readonly name: string;
}

interface FiledRow {
  readonly thread: number;
  readonly id: string;
  readonly key: string;
  readonly v: number;
  readonly body: string;
  readonly name: string;
}

/** A record as it is listed; undefined: its thread's key is still to be read. */
export interface FiledText extends Omit<ListedText, 'thread'> {
  readonly stored: number;
  readonly thread: ThreadKey | undefined;
}

/** Reads what has been applied. Takes and gives names as they are. */
export class Reader {
  readonly #db: Database;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  findThread({ scope, threadId }: ThreadKey): number | undefined {
    const row = this.#statements.thread.get(toSafeKey(scope), toSafeKey(threadId)) as { id: number } | undefined;
    return row?.id;
  }

  /** Undefined: it was dropped, perhaps only just. */
  findKey(id: number): ThreadKey | undefined {
    const row = this.#statements.name.get(id);
    return row === undefined ? undefined : keyOf(row);
  }

  record(thread: StoredThread, kind: string, id: string): string | undefined {
    const row = this.#statements.record.get(thread.id, kind, toSafeKey(id)) as { v: number; body: string } | undefined;
    if (row === undefined) return undefined;
    assertVersion(row.v, thread, kind, id);
    return row.body;
  }

  listRecords(thread: StoredThread, kind: string, after: string, limit: number): { id: string; text: string }[] {
    const rows = this.#statements.records.all(thread.id, kind, firstKeyBehind(after), limit) as {
      id: string;
      v: number;
      body: string;
    }[];
    return rows.map(({ id, v, body }) => {
      assertVersion(v, thread, kind, fromSafeKey(id));
      return { id: fromSafeKey(id), text: body };
    });
  }

  head(thread: StoredThread): { seq: number; atMs: number } {
    const row = this.#statements.head.get(thread.id) as { seq: number; atMs: number } | undefined;
    return row ?? { seq: 0, atMs: 0 };
  }

  chunks(thread: StoredThread, after: number, limit: number): EventChunk[] {
    const chunks: EventChunk[] = [];
    for (let at = after; at < after + limit;) {
      const row = this.#statements.chunk.get(thread.id, at) as (EventChunk & { v: number }) | undefined;
      if (row === undefined) break;
      assertVersion(row.v, thread, 'event', String(row.first));
      chunks.push(row);
      at = row.last;
    }
    return chunks;
  }

  /** Newest first; takes from the disk what is taken from it. */
  *list({ scope, kind, thread, label, before }: Omit<EngineListQuery, 'limit'>): Generator<FiledText> {
    const { filed, labelled, filedOfThread, labelledOfThread } = this.#statements;
    const bound = before === undefined ? behindAllKeys : toSafeKey(before);
    const filters = label === undefined ? [kind] : [kind, toSafeKey(label)];
    const rows =
      thread === undefined
        ? (label === undefined ? filed : labelled).iterate(toSafeKey(scope), ...filters, bound)
        : (label === undefined ? filedOfThread : labelledOfThread).iterate(thread.id, ...filters, bound, bound);
    for (const row of rows as IterableIterator<FiledRow>) {
      const { thread: stored, v, body: text } = row;
      const [key, id] = [{ scope, threadId: fromSafeKey(row.name) }, fromSafeKey(row.id)];
      assertVersion(v, { id: stored, key }, kind, id);
      yield { stored, thread: key, key: fromSafeKey(row.key), id, text };
    }
  }

  count({ scope, kind, thread, labels, from }: EngineCountQuery): number {
    const { counted, countedOfThread } = this.#statements;
    const rows = labels.map((label) =>
      thread === undefined
        ? counted.get(toSafeKey(scope), kind, toSafeKey(label), toSafeKey(from))
        : countedOfThread.get(thread.id, kind, toSafeKey(label), toSafeKey(from)),
    ) as { records: number }[];
    return rows.reduce((sum, { records }) => sum + records, 0);
  }

  /** Where a record is filed; undefined: it is not there, or not listed. */
  filed(thread: number, kind: string, id: string): Filed | undefined {
    const row = this.#statements.filedAt.get(thread, kind, toSafeKey(id)) as Filed | undefined;
    if (row === undefined) return undefined;
    return { scope: fromSafeKey(row.scope), key: fromSafeKey(row.key), label: fromSafeKey(row.label) };
  }

  /** Lets several reads see the tables as of one moment. */
  atOnce<Result>(read: () => Result): Result {
    this.#db.exec('begin');
    try {
      return read();
    } finally {
      this.#db.exec('commit');
    }
  }

  readWaiting(): number {
    return (this.#statements.waiting.get() as { waiting: number }).waiting;
  }

  listThreads(scope: Scope, after: string, limit: number): StoredThread[] {
    return this.#statements.threads.all(toSafeKey(scope), toSafeKey(after), limit).map(storedThread);
  }

  /** Every thread that has a run or ticket of this id; hardly ever more than one. */
  places(scope: Scope, kind: 'run' | 'ticket', id: string): StoredThread[] {
    return this.#statements.places.all(toSafeKey(scope), kind, toSafeKey(id)).map(storedThread);
  }

  due(beforeMs: number, limit: number): ThreadKey[] {
    return this.#statements.due.all(beforeMs, limit).map(keyOf);
  }

  nextDueMs(): number | undefined {
    return (this.#statements.nextDue.get() as { at: number | null }).at ?? undefined;
  }

  held(after: ThreadKey | undefined, limit: number): StoredThread[] {
    const { scope, threadId } = after ?? { scope: '', threadId: '' };
    return this.#statements.held.all(toSafeKey(scope), toSafeKey(threadId), limit).map(storedThread);
  }

  nextScope(after: Scope): Scope | undefined {
    return nameOf(this.#statements.nextScope.get(toSafeKey(after)));
  }

  nextActor(scope: Scope, after: string): string | undefined {
    return nameOf(this.#statements.nextActor.get(toSafeKey(scope), toSafeKey(after)));
  }

  nextThread(scope: Scope, actor: string, after: ReadyPlace | undefined): ReadyFound | undefined {
    const { atMs, id } = after ?? { atMs: Number.MIN_SAFE_INTEGER, id: 0 };
    const row = this.#statements.nextThread.get(toSafeKey(scope), toSafeKey(actor), atMs, id) as
      | { id: number; name: string; at: number }
      | undefined;
    return row === undefined
      ? undefined
      : { id: row.id, atMs: row.at, thread: { scope, threadId: fromSafeKey(row.name) } };
  }
}

/** SQLite puts every text before every blob. */
const behindAllKeys = new Uint8Array(1);

function prepare(db: Database) {
  const filed = 'record.thread, record.id, filing_key as key, record.v, body, name';
  return {
    thread: db.prepare('select id from thread where scope = ? and name = ?'),
    name: db.prepare('select scope, name from thread where id = ?'),
    record: db.prepare('select v, body from record where thread = ? and kind = ? and id = ?'),
    records: db.prepare('select id, v, body from record where thread = ? and kind = ? and id >= ? order by id limit ?'),
    head: db.prepare('select last as seq, last_at as atMs from event where thread = ? order by last desc limit 1'),
    chunk: db.prepare(
      `select first, last, first_at as firstAtMs, last_at as lastAtMs, v, body as text
       from event where thread = ? and last > ? order by last limit 1`,
    ),
    threads: db.prepare('select id, scope, name from thread where scope = ? and name > ? order by name limit ?'),
    places: db.prepare(
      `select thread.id, thread.scope, name from record indexed by record_filed join thread on thread.id = record.thread
       where record.scope = ? and kind = ? and filing_key = ?`,
    ),
    filed: db.prepare(
      `select ${filed} from record indexed by record_filed join thread on thread.id = record.thread
       where record.scope = ? and kind = ? and filing_key < ? order by filing_key desc`,
    ),
    labelled: db.prepare(
      `select ${filed} from record indexed by record_label join thread on thread.id = record.thread
       where record.scope = ? and kind = ? and filing_label = ? and filing_key < ? order by filing_key desc`,
    ),
    // A record's id is its key, but for a thread's own, of which there is one.
    filedOfThread: db.prepare(
      `select ${filed} from record join thread on thread.id = record.thread
       where record.thread = ? and kind = ? and record.id < ? and filing_key < ? order by record.id desc`,
    ),
    labelledOfThread: db.prepare(
      `select ${filed} from record indexed by record_thread_label join thread on thread.id = record.thread
       where record.thread = ? and kind = ? and filing_label = ? and record.id < ? and filing_key < ?
         and record.scope is not null order by record.id desc`,
    ),
    counted: db.prepare(
      `select count(*) as records from record indexed by record_label
       where scope = ? and kind = ? and filing_label = ? and filing_key >= ?`,
    ),
    countedOfThread: db.prepare(
      `select count(*) as records from record indexed by record_thread_label
       where thread = ? and kind = ? and filing_label = ? and filing_key >= ? and scope is not null`,
    ),
    filedAt: db.prepare(
      `select scope, filing_key as key, filing_label as label from record
       where thread = ? and kind = ? and id = ? and scope is not null`,
    ),
    waiting: db.prepare(
      'select coalesce(sum(waiting), 0) as waiting from thread indexed by thread_waiting where waiting > 0',
    ),
    due: db.prepare('select scope, name from thread where wake_at <= ? order by wake_at, id limit ?'),
    nextDue: db.prepare('select min(wake_at) as at from thread where wake_at is not null'),
    held: db.prepare(
      `select id, scope, name from thread indexed by thread_held
       where held = 1 and (scope, name) > (?, ?) order by scope, name limit ?`,
    ),
    nextScope: db.prepare(
      `select scope as name from thread indexed by thread_ready
       where ready_at is not null and scope > ? order by scope limit 1`,
    ),
    nextActor: db.prepare(
      `select ready_actor as name from thread indexed by thread_ready
       where ready_at is not null and scope = ? and ready_actor > ? order by ready_actor limit 1`,
    ),
    nextThread: db.prepare(
      `select id, name, ready_at as at from thread indexed by thread_ready
       where ready_at is not null and scope = ? and ready_actor = ? and (ready_at, id) > (?, ?)
       order by ready_at, id limit 1`,
    ),
  };
}

function assertVersion(version: number, { key }: StoredThread, kind: string, id: string): void {
  if (version === formatVersion) return;
  throw unreadable(
    { thread: key, kind, id },
    `it has format ${version}, and this program reads format ${formatVersion}`,
  );
}

/** '' is before all keys, the empty one included; no safe key goes on with a lower character than this. */
function firstKeyBehind(after: string): string {
  return after === '' ? '' : `${toSafeKey(after)}\u0001`;
}

function storedThread(row: unknown): StoredThread {
  return { id: (row as { id: number }).id, key: keyOf(row) };
}

function keyOf(row: unknown): ThreadKey {
  const { scope, name } = row as ThreadRow;
  return { scope: fromSafeKey(scope), threadId: fromSafeKey(name) };
}

function nameOf(row: unknown): string | undefined {
  return row === undefined ? undefined : fromSafeKey((row as { name: string }).name);
}
