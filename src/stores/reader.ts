import type { Scope, ThreadKey } from '../../schemas/id.ts';
import type { StoredThread } from './engine.ts';
import type { EventChunk } from './event-chunk.ts';
import type { ReadyFound, ReadyPlace } from './fair-order.ts';
import { unreadable } from './record-text.ts';
import { fromSafeKey, toSafeKey } from './safe-key.ts';
import type { Database } from './sqlite.ts';
import { formatVersion } from './tables.ts';

interface ThreadRow {
  readonly scope: string;
  readonly name: string;
}

/** Reads what has been applied. Takes and gives names as they are. */
export class Reader {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#statements = prepare(db);
  }

  findThread({ scope, threadId }: ThreadKey): number | undefined {
    const row = this.#statements.thread.get(toSafeKey(scope), toSafeKey(threadId)) as { id: number } | undefined;
    return row?.id;
  }

  /** A thread that is in the tables. */
  key(id: number): ThreadKey {
    return keyOf(this.#statements.name.get(id));
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

  listThreads(scope: Scope, after: string, limit: number): StoredThread[] {
    return this.#statements.threads.all(toSafeKey(scope), toSafeKey(after), limit).map(storedThread);
  }

  /** Every thread that has a run or ticket of this id; hardly ever more than one. */
  places(scope: Scope, kind: 'run' | 'ticket', id: string): StoredThread[] {
    return this.#statements.places.all(toSafeKey(id), kind, toSafeKey(scope)).map(storedThread);
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

function prepare(db: Database) {
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
      `select thread.id, scope, name from record indexed by record_place join thread on thread.id = record.thread
       where record.id = ? and record.kind = ? and record.kind in ('run', 'ticket') and scope = ?`,
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
