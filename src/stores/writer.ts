import { type EventChunk, joinChunks } from './event-chunk.ts';
import type { LaneIndex } from './lane-index.ts';
import { Purge } from './purge.ts';
import { decodeChanges, type ChangeSink } from './change-text.ts';
import type { Database } from './sqlite.ts';
import { formatVersion } from './tables.ts';
import { Unapplied, type UnappliedRecord, type UnappliedThread } from './unapplied.ts';

/** What a commit did beside writing its changes. */
export interface Committed {
  /** What was fresh until now, this commit included, is now being applied. */
  readonly froze: boolean;
  /** What was frozen is in the tables. */
  readonly applied: boolean;
}

/** A commit applies so many times its own size, so that one generation is applied before the next one has gathered. */
const pace = 1.5;

/** The one writer of a database. Statements that return nothing are run by `get`, which builds no result object. */
export class Writer {
  readonly #db: Database;
  readonly #generationChars: number;
  readonly #unapplied = new Unapplied();
  readonly #statements: ReturnType<typeof prepare>;
  readonly #purge: Purge;
  readonly #direct: ChangeSink;
  readonly #deferred: ChangeSink;
  #lastRedo = 0;
  #frozenRedo = 0;

  constructor(db: Database, generationChars: number) {
    this.#db = db;
    this.#generationChars = generationChars;
    this.#statements = prepare(db);
    this.#purge = new Purge(db);
    this.#direct = this.#tablesSink();
    this.#deferred = this.#unappliedSink(true);
  }

  /** One transaction: the changes, some of them straight to the tables, and a part of what waits to be applied. */
  commit(direct: string, redo: string): Committed {
    return this.#transaction(() => {
      decodeChanges(direct, this.#direct);
      if (redo !== '') {
        this.#lastRedo += 1;
        this.#statements.addRedo.get(this.#lastRedo, formatVersion, redo);
        decodeChanges(redo, this.#deferred);
      }
      const froze = this.#unapplied.frozen === undefined && this.#unapplied.freshChars >= this.#generationChars;
      if (froze) this.#freeze();
      return { froze, applied: this.#applySome(redo.length * pace) };
    });
  }

  /** Applies what a process that did not close has left. @throws Error where the log cannot be read */
  recover(): void {
    this.#transaction(() => {
      this.redo();
    });
  }

  /** As `recover`, inside the caller's transaction. */
  redo(): void {
    const rows = this.#statements.listRedo.all() as { n: number; v: number; body: string }[];
    const sink = this.#unappliedSink(false);
    for (const { n, v, body } of rows) {
      if (v !== formatVersion) throw new Error(`row ${n} of the redo log has format ${v}`);
      decodeChanges(body, sink);
      this.#lastRedo = n;
    }
    this.#applyAll();
  }

  /** Applies all that waits, so that the next start finds nothing to redo. */
  settle(): void {
    this.#transaction(() => {
      this.#applyAll();
    });
  }

  lastThread(): number {
    return (this.#statements.lastThread.get() as { id: number | null }).id ?? 0;
  }

  /** @see Store.purge */
  purge(olderThanMs: number, limit: number): number {
    return this.#transaction(() => {
      this.#applyAll();
      return this.#purge.evict(olderThanMs, limit);
    });
  }

  #transaction<Result>(work: () => Result): Result {
    this.#db.exec('begin immediate');
    try {
      const result = work();
      this.#db.exec('commit');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors, a full disk among them.
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
  }

  #tablesSink(): ChangeSink {
    let created: { readonly scope: string; readonly name: string } | undefined;
    return {
      created: (_, scope, name) => {
        created = { scope, name };
      },
      lane: (thread, text, index) => {
        if (created === undefined) this.#writeIndex(thread, index);
        else this.#addThread(thread, created, index);
        created = undefined;
        this.#statements.putRecord.get(thread, 'lane', '', formatVersion, text);
      },
      put: (thread, kind, id, text, filed) => {
        this.#put(thread, { kind, id, text, filed });
      },
      remove: (thread, kind, id) => {
        this.#statements.removeRecord.get(thread, kind, id);
      },
      events: (thread, chunk) => {
        this.#addEvents(thread, chunk);
      },
      drop: (thread) => {
        this.#drop(thread);
      },
    };
  }

  /** `live`: when it is not read from the log again. */
  #unappliedSink(live: boolean): ChangeSink {
    const unapplied = this.#unapplied;
    return {
      created: () => {
        throw new Error('a thread is made in the tables, not in the redo log');
      },
      lane: (thread, text, index, moves) => {
        unapplied.addLane(thread, text, index);
        if (live && moves) this.#writeIndex(thread, index);
      },
      put: (thread, kind, id, text, filed) => {
        unapplied.addRecord(thread, { kind, id, text, filed });
      },
      remove: (thread, kind, id) => {
        unapplied.addRecord(thread, { kind, id, text: undefined, filed: undefined });
      },
      events: (thread, chunk) => {
        // What a crash left half applied is found in the log again.
        if (live || chunk.last > this.#lastEvent(thread)) unapplied.addEvents(thread, chunk);
      },
      drop: (thread) => {
        unapplied.drop(thread);
        this.#drop(thread);
      },
    };
  }

  #drop(thread: number): void {
    for (const drop of this.#statements.drops) drop.get(thread);
  }

  #freeze(): void {
    this.#unapplied.freeze();
    this.#frozenRedo = this.#lastRedo;
  }

  /** Applies threads until so many characters are done; true when that was the last of the frozen ones. */
  #applySome(chars: number): boolean {
    const { frozen } = this.#unapplied;
    if (frozen === undefined) return false;
    let left = chars;
    for (const [id, thread] of frozen) {
      if (left <= 0) return false;
      this.#apply(id, thread);
      frozen.delete(id);
      left -= thread.chars;
    }
    this.#statements.deleteRedo.get(this.#frozenRedo);
    this.#unapplied.thaw();
    return true;
  }

  #applyAll(): void {
    this.#applySome(Number.POSITIVE_INFINITY);
    this.#freeze();
    this.#applySome(Number.POSITIVE_INFINITY);
  }

  #apply(id: number, thread: UnappliedThread): void {
    // Not an older lane over the index of a newer one.
    const lane = thread.lane === undefined ? undefined : this.#unapplied.lane(id);
    if (lane !== undefined) {
      this.#writeIndex(id, lane.index);
      this.#statements.putRecord.get(id, 'lane', '', formatVersion, lane.text);
    }
    for (const record of thread.records.values()) this.#put(id, record);
    for (const chunk of joinChunks(thread.chunks)) this.#addEvents(id, chunk);
  }

  #put(thread: number, { kind, id, text, filed }: UnappliedRecord): void {
    if (text === undefined) this.#statements.removeRecord.get(thread, kind, id);
    else if (filed === undefined) this.#statements.putRecord.get(thread, kind, id, formatVersion, text);
    else {
      const { scope, key, label } = filed;
      this.#statements.fileRecord.get(thread, kind, id, formatVersion, scope, key, label, text);
    }
  }

  #addThread(id: number, of: { readonly scope: string; readonly name: string }, index: LaneIndex): void {
    this.#statements.addThread.get(id, of.scope, of.name, ...columnsOf(index), formatVersion);
  }

  #writeIndex(id: number, index: LaneIndex): void {
    this.#statements.setIndex.get(...columnsOf(index), id);
  }

  #addEvents(thread: number, { first, last, firstAtMs, lastAtMs, text }: EventChunk): void {
    this.#statements.addEvents.get(thread, last, first, firstAtMs, lastAtMs, formatVersion, text);
  }

  #lastEvent(thread: number): number {
    return (this.#statements.lastEvent.get(thread) as { last: number | null }).last ?? 0;
  }
}

function prepare(db: Database) {
  return {
    addRedo: db.prepare('insert into redo (n, v, body) values (?, ?, ?)'),
    listRedo: db.prepare('select n, v, body from redo order by n'),
    deleteRedo: db.prepare('delete from redo where n <= ?'),
    addThread: db.prepare(
      `insert into thread (id, scope, name, wake_at, ready_at, ready_actor, held, waiting, v)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    setIndex: db.prepare(
      'update thread set wake_at = ?, ready_at = ?, ready_actor = ?, held = ?, waiting = ? where id = ?',
    ),
    lastThread: db.prepare('select max(id) as id from thread'),
    putRecord: db.prepare(
      `insert into record (thread, kind, id, v, body) values (?, ?, ?, ?, ?)
       on conflict (thread, kind, id) do update set v = excluded.v, body = excluded.body`,
    ),
    // Its scope and key never change: their index is left alone.
    fileRecord: db.prepare(
      `insert into record (thread, kind, id, v, scope, filing_key, filing_label, body) values (?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (thread, kind, id) do update
       set v = excluded.v, filing_label = excluded.filing_label, body = excluded.body`,
    ),
    removeRecord: db.prepare('delete from record where thread = ? and kind = ? and id = ?'),
    addEvents: db.prepare(
      'insert into event (thread, last, first, first_at, last_at, v, body) values (?, ?, ?, ?, ?, ?, ?)',
    ),
    lastEvent: db.prepare('select max(last) as last from event where thread = ?'),
    drops: [
      db.prepare('delete from event where thread = ?'),
      db.prepare('delete from record where thread = ?'),
      db.prepare('delete from thread where id = ?'),
    ],
  };
}

function columnsOf(index: LaneIndex): [number | null, number | null, string | null, 0 | 1, number] {
  const { wakeAtMs, ready, held, waiting } = index;
  return [wakeAtMs ?? null, ready?.atMs ?? null, ready?.actor ?? null, held ? 1 : 0, waiting];
}
