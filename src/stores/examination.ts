import type { ThreadKey } from '../../schemas/id.ts';
import { Fault } from '../fault.ts';
import type { Lane } from '../lane/lane.ts';
import { indexOf, isFoundAlike, type LaneIndex } from './lane-index.ts';
import { parseEvents, parseObject, type TextName, unreadable } from './record-text.ts';
import { fromSafeKey } from './safe-key.ts';
import type { Database } from './sqlite.ts';
import { formatVersion } from './tables.ts';

export interface Findings {
  readonly threads: number;
  readonly events: number;
  readonly records: number;
  /** One sentence each. */
  readonly problems: readonly string[];
}

interface ThreadRow {
  readonly id: number;
  readonly scope: string;
  readonly name: string;
  readonly wake_at: number | null;
  readonly ready_at: number | null;
  readonly ready_actor: string | null;
  readonly held: number;
  readonly v: number;
}

interface RecordRow {
  readonly kind: string;
  readonly id: string;
  readonly v: number;
  readonly body: string;
}

interface EventRow {
  readonly first: number;
  readonly last: number;
  readonly first_at: number;
  readonly last_at: number;
  readonly v: number;
  readonly body: string;
}

/** Reads every row there is. */
export function examine(db: Database): Findings {
  return new Examination(db).findings();
}

class Examination {
  readonly #db: Database;
  readonly #problems: string[] = [];
  #threads = 0;
  #events = 0;
  #records = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  findings(): Findings {
    for (const row of this.#db.prepare('pragma quick_check').iterate()) {
      const [said] = Object.values(row as object) as string[];
      if (said !== 'ok') this.#problems.push(`the database itself: ${said}`);
    }
    const threads = this.#db.prepare('select * from thread order by id').iterate() as IterableIterator<ThreadRow>;
    for (const row of threads) this.#thread(row);
    this.#orphans();
    return { threads: this.#threads, events: this.#events, records: this.#records, problems: this.#problems };
  }

  #thread(row: ThreadRow): void {
    this.#threads += 1;
    const key = { scope: fromSafeKey(row.scope), threadId: fromSafeKey(row.name) };
    const say = (problem: string): void => {
      this.#problems.push(`thread ${JSON.stringify(key.threadId)} in scope ${JSON.stringify(key.scope)}: ${problem}`);
    };
    if (row.v !== formatVersion) say(`its row has format ${row.v}`);
    const lane = this.#recordsOf(row.id, key);
    const last = this.#eventsOf(row.id, key, say);
    if (lane === undefined) {
      say('its lane is missing or unreadable');
      return;
    }
    if (lane.scope !== key.scope || lane.threadId !== key.threadId) say('its lane names another thread');
    if (last !== undefined && last < lane.head) say(`its log ends at ${last} and its lane at ${lane.head}`);
    const [stored, right] = [indexIn(row), indexOf(lane)];
    if (stored.held !== right.held || !isFoundAlike(stored, right)) {
      say(`it is found by ${JSON.stringify(stored)} and its lane says ${JSON.stringify(right)}`);
    }
  }

  /** Returns the lane. */
  #recordsOf(thread: number, key: ThreadKey): Lane | undefined {
    const rows = this.#db.prepare('select kind, id, v, body from record where thread = ?').iterate(thread);
    let lane: Lane | undefined;
    for (const { kind, id, v, body } of rows as IterableIterator<RecordRow>) {
      const name = { thread: key, kind, id: fromSafeKey(id) };
      const value = this.#reading(() => {
        assertVersion(v, name);
        return parseObject(body, name);
      });
      if (kind === 'lane') lane = value as Lane | undefined;
      else this.#records += 1;
    }
    return lane;
  }

  /** Returns the last event's number. */
  #eventsOf(thread: number, key: ThreadKey, say: (problem: string) => void): number | undefined {
    const sql = 'select first, last, first_at, last_at, v, body from event where thread = ? order by last';
    let before: number | undefined;
    for (const row of this.#db.prepare(sql).iterate(thread) as IterableIterator<EventRow>) {
      if (before !== undefined && row.first !== before + 1) say(`its log goes on at ${row.first} behind ${before}`);
      before = row.last;
      const name = { thread: key, kind: 'event', id: String(row.first) };
      const events = this.#reading(() => {
        assertVersion(row.v, name);
        return parseEvents(row.body, name);
      });
      if (events === undefined) continue;
      this.#events += events.length;
      const isRight =
        events.length === row.last - row.first + 1 &&
        events.every((event, at) => event.seq === row.first + at && event.threadId === key.threadId) &&
        events[0]?.atMs === row.first_at &&
        events.at(-1)?.atMs === row.last_at;
      if (!isRight) say(`its events ${row.first} to ${row.last} are not what their row says`);
    }
    return before;
  }

  #orphans(): void {
    for (const table of ['record', 'event']) {
      const sql = `select count(*) as rows from ${table} where thread not in (select id from thread)`;
      const { rows } = this.#db.prepare(sql).get() as { rows: number };
      if (rows > 0) this.#problems.push(`${rows} rows of ${table} belong to no thread`);
    }
  }

  /** What was read; undefined, and a problem, where it cannot be. */
  #reading<Value>(read: () => Value): Value | undefined {
    try {
      return read();
    } catch (error) {
      this.#problems.push(Fault.from(error).message);
      return undefined;
    }
  }
}

function assertVersion(version: number, name: TextName): void {
  if (version !== formatVersion) throw unreadable(name, `it has format ${version}`);
}

function indexIn({ wake_at, ready_at, ready_actor, held }: ThreadRow): LaneIndex {
  const ready = ready_at === null ? undefined : { actor: fromSafeKey(ready_actor ?? ''), atMs: ready_at };
  return { wakeAtMs: wake_at ?? undefined, ready, held: held === 1 };
}
