import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Lane } from '../lane/lane.ts';
import { chunkBehind } from './event-chunk.ts';
import { evictableUpTo, isOver } from './retention.ts';
import { toSafeKey } from './safe-key.ts';
import type { Database } from './sqlite.ts';
import { formatVersion } from './tables.ts';

/** How many threads are looked at, for each that may be evicted from. */
const looksPerEviction = 128;

interface Look {
  readonly thread: number;
  /** Of its first event; null for none. */
  readonly atMs: number | null;
}

/** Evicts old events from the tables. Goes over the threads in rounds, a part of them at a time. */
export class Purge {
  readonly #statements: ReturnType<typeof prepare>;
  /** The thread behind which it goes on looking. */
  #lookedTo = 0;

  constructor(db: Database) {
    this.#statements = prepare(db);
  }

  /** Returns how many events went. @see Store.purge */
  evict(olderThanMs: number, limit: number): number {
    let [events, left] = [0, limit];
    const looks = this.#statements.looks.all(this.#lookedTo, limit * looksPerEviction) as unknown as Look[];
    for (const { thread, atMs } of looks) {
      if (left === 0) return events;
      this.#lookedTo = thread;
      const evicted = atMs !== null && atMs < olderThanMs ? this.#evictFrom(thread, olderThanMs) : 0;
      events += evicted;
      if (evicted > 0) left -= 1;
    }
    if (looks.length < limit * looksPerEviction) this.#lookedTo = 0;
    return events;
  }

  #evictFrom(thread: number, olderThanMs: number): number {
    const row = this.#statements.record.get(thread, 'lane', '') as { body: string } | undefined;
    const lane = row === undefined ? undefined : (readJson(row.body) as Lane | undefined);
    if (lane === undefined) return 0;
    const upTo = evictableUpTo(this.#chunks(thread), lane, (runId) => {
      const run = this.#statements.record.get(thread, 'run', toSafeKey(runId)) as { body: string } | undefined;
      return run !== undefined && isOver(readJson(run.body) as Run | undefined, olderThanMs);
    });
    if (upTo === 0) return 0;
    const { first } = this.#statements.chunkBehind.get(thread, 0) as { first: number };
    const cut = this.#statements.chunkBehind.get(thread, upTo - 1) as { last: number; body: string };
    const rest = chunkBehind(readJson(cut.body) as RunEvent[], upTo);
    this.#statements.remove.get(thread, cut.last);
    if (rest !== undefined) {
      this.#statements.add.get(thread, rest.last, rest.first, rest.firstAtMs, rest.lastAtMs, formatVersion, rest.text);
    }
    return upTo - first + 1;
  }

  /** A thread's events from the start, up to what cannot be read. */
  *#chunks(thread: number): Generator<readonly RunEvent[]> {
    for (let after = 0; ;) {
      const row = this.#statements.chunkBehind.get(thread, after) as { last: number; body: string } | undefined;
      const events = row === undefined ? undefined : (readJson(row.body) as RunEvent[] | undefined);
      if (row === undefined || events === undefined) return;
      yield events;
      after = row.last;
    }
  }
}

function prepare(db: Database) {
  return {
    looks: db.prepare(
      `select id as thread, (select first_at from event where thread = id order by last limit 1) as atMs
       from thread where id > ? order by id limit ?`,
    ),
    record: db.prepare('select body from record where thread = ? and kind = ? and id = ?'),
    chunkBehind: db.prepare('select first, last, body from event where thread = ? and last > ? order by last limit 1'),
    remove: db.prepare('delete from event where thread = ? and last <= ?'),
    add: db.prepare('insert into event (thread, last, first, first_at, last_at, v, body) values (?, ?, ?, ?, ?, ?, ?)'),
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
