import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { chunkBehind, type EventChunk, joinChunks } from './event-chunk.ts';
import type { LaneIndex } from './lane-index.ts';
import { decodeRedo, type RedoSink } from './redo-text.ts';
import { evictableUpTo, isOver } from './retention.ts';
import { toSafeKey } from './safe-key.ts';
import type { Database } from './sqlite.ts';
import { formatVersion } from './tables.ts';
import { Unapplied, type UnappliedThread } from './unapplied.ts';

/** What a commit did beside writing its changes. */
export interface Committed {
  /** What was fresh until now, this commit included, is now being applied. */
  readonly froze: boolean;
  /** What was frozen is in the tables. */
  readonly applied: boolean;
}

/** A commit applies so many times its own size, so that one generation is applied before the next one has gathered. */
const pace = 1.5;
/** Of how many threads at most a purge looks at the log, for each that it may evict from. */
const looksPerEviction = 16;

/** The one writer of a database. Statements that return nothing are run by `get`, which builds no result object. */
export class Writer {
  readonly #db: Database;
  readonly #generationChars: number;
  readonly #unapplied = new Unapplied();
  readonly #statements: ReturnType<typeof prepare>;
  readonly #direct: RedoSink;
  readonly #deferred: RedoSink;
  #lastRedo = 0;
  #frozenRedo = 0;
  /** Where the next purge goes on looking. */
  #purgedTo = { atMs: Number.MIN_SAFE_INTEGER, thread: 0 };

  constructor(db: Database, generationChars: number) {
    this.#db = db;
    this.#generationChars = generationChars;
    this.#statements = prepare(db);
    this.#direct = this.#tablesSink();
    this.#deferred = this.#unappliedSink(true);
  }

  /** One transaction: the changes, some of them straight to the tables, and a part of what waits to be applied. */
  commit(direct: string, redo: string): Committed {
    return this.#transaction(() => {
      decodeRedo(direct, this.#direct);
      if (redo !== '') {
        this.#lastRedo += 1;
        this.#statements.addRedo.get(this.#lastRedo, formatVersion, redo);
        decodeRedo(redo, this.#deferred);
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
      decodeRedo(body, sink);
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
      let evicted = 0;
      let left = limit;
      const seen = new Set<number>();
      while (left > 0 && seen.size < limit * looksPerEviction) {
        const { atMs, thread } = this.#purgedTo;
        const next = this.#statements.nextAged.get(atMs, thread, olderThanMs) as
          | { at: number; thread: number }
          | undefined;
        if (next === undefined) {
          this.#purgedTo = { atMs: Number.MIN_SAFE_INTEGER, thread: 0 };
          break;
        }
        this.#purgedTo = { atMs: next.at, thread: next.thread };
        if (seen.has(next.thread)) continue;
        seen.add(next.thread);
        const events = this.#evict(next.thread, olderThanMs);
        evicted += events;
        if (events > 0) left -= 1;
      }
      return evicted;
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

  #tablesSink(): RedoSink {
    return {
      created: (thread, scope, name) => {
        this.#statements.addThread.get(thread, scope, name, formatVersion);
      },
      lane: (thread, text, index) => {
        this.#writeIndex(thread, index);
        this.#statements.putRecord.get(thread, 'lane', '', formatVersion, text);
      },
      put: (thread, kind, id, text) => {
        this.#statements.putRecord.get(thread, kind, id, formatVersion, text);
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
  #unappliedSink(live: boolean): RedoSink {
    const unapplied = this.#unapplied;
    return {
      created: () => {
        throw new Error('a thread is made in the tables, not in the redo log');
      },
      lane: (thread, text, index, moves) => {
        unapplied.addLane(thread, text, index);
        if (live && moves) this.#writeIndex(thread, index);
      },
      put: (thread, kind, id, text) => {
        unapplied.addRecord(thread, { kind, id, text });
      },
      remove: (thread, kind, id) => {
        unapplied.addRecord(thread, { kind, id, text: undefined });
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
    for (const { kind, id: record, text } of thread.records.values()) {
      if (text === undefined) this.#statements.removeRecord.get(id, kind, record);
      else this.#statements.putRecord.get(id, kind, record, formatVersion, text);
    }
    for (const chunk of joinChunks(thread.chunks)) this.#addEvents(id, chunk);
  }

  #writeIndex(id: number, { wakeAtMs, ready, held }: LaneIndex): void {
    this.#statements.setIndex.get(wakeAtMs ?? null, ready?.atMs ?? null, ready?.actor ?? null, held ? 1 : 0, id);
  }

  #addEvents(thread: number, { first, last, firstAtMs, lastAtMs, text }: EventChunk): void {
    this.#statements.addEvents.get(thread, last, first, firstAtMs, lastAtMs, formatVersion, text);
  }

  #lastEvent(thread: number): number {
    return (this.#statements.lastEvent.get(thread) as { last: number | null }).last ?? 0;
  }

  /** Returns how many events. */
  #evict(thread: number, olderThanMs: number): number {
    const upTo = evictableUpTo(this.#chunks(thread), (runId) => {
      const row = this.#statements.findRecord.get(thread, 'run', toSafeKey(runId)) as { body: string } | undefined;
      return row !== undefined && isOver(readJson(row.body) as Run | undefined, olderThanMs);
    });
    if (upTo === 0) return 0;
    const { first } = this.#statements.firstEvent.get(thread) as { first: number };
    const cut = this.#statements.chunkWith.get(thread, upTo) as { last: number; body: string };
    const rest = chunkBehind(readJson(cut.body) as RunEvent[], upTo);
    this.#statements.deleteEvents.get(thread, cut.last);
    if (rest !== undefined) this.#addEvents(thread, rest);
    return upTo - first + 1;
  }

  /** A thread's events from the start, up to what cannot be read. */
  *#chunks(thread: number): Generator<readonly RunEvent[]> {
    for (let after = 0; ;) {
      const row = this.#statements.nextEvents.get(thread, after) as { last: number; body: string } | undefined;
      const events = row === undefined ? undefined : (readJson(row.body) as RunEvent[] | undefined);
      if (row === undefined || events === undefined) return;
      yield events;
      after = row.last;
    }
  }
}

function prepare(db: Database) {
  return {
    addRedo: db.prepare('insert into redo (n, v, body) values (?, ?, ?)'),
    listRedo: db.prepare('select n, v, body from redo order by n'),
    deleteRedo: db.prepare('delete from redo where n <= ?'),
    addThread: db.prepare('insert into thread (id, scope, name, held, v) values (?, ?, ?, 0, ?)'),
    setIndex: db.prepare('update thread set wake_at = ?, ready_at = ?, ready_actor = ?, held = ? where id = ?'),
    lastThread: db.prepare('select max(id) as id from thread'),
    putRecord: db.prepare(
      `insert into record (thread, kind, id, v, body) values (?, ?, ?, ?, ?)
       on conflict (thread, kind, id) do update set v = excluded.v, body = excluded.body`,
    ),
    removeRecord: db.prepare('delete from record where thread = ? and kind = ? and id = ?'),
    findRecord: db.prepare('select body from record where thread = ? and kind = ? and id = ?'),
    addEvents: db.prepare(
      'insert into event (thread, last, first, first_at, last_at, v, body) values (?, ?, ?, ?, ?, ?, ?)',
    ),
    firstEvent: db.prepare('select first from event where thread = ? order by last limit 1'),
    lastEvent: db.prepare('select max(last) as last from event where thread = ?'),
    nextEvents: db.prepare('select last, body from event where thread = ? and last > ? order by last limit 1'),
    chunkWith: db.prepare('select last, body from event where thread = ? and last >= ? order by last limit 1'),
    deleteEvents: db.prepare('delete from event where thread = ? and last <= ?'),
    nextAged: db.prepare(
      `select first_at as at, thread from event indexed by event_age
       where (first_at, thread) > (?, ?) and first_at < ? order by first_at, thread limit 1`,
    ),
    drops: [
      db.prepare('delete from event where thread = ?'),
      db.prepare('delete from record where thread = ?'),
      db.prepare('delete from thread where id = ?'),
    ],
  };
}

/** Undefined where it is no JSON: what cannot be read is left alone. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
