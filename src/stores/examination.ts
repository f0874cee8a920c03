import type { ThreadKey } from '../../schemas/id.ts';
import { Fault } from '../fault.ts';
import type { Lane } from '../lane/lane.ts';
import type { RecordKind, Records } from '../lane/records.ts';
import { type Filed, filedIn } from './filed.ts';
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
  readonly waiting: number;
  readonly v: number;
}

interface RecordRow {
  readonly kind: string;
  readonly id: string;
  readonly v: number;
  readonly scope: string | null;
  readonly filing_key: string | null;
  readonly filing_label: string | null;
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
    for (const row of this.#db.prepare('pragma integrity_check').iterate()) {
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
    const lane = this.#recordsOf(row.id, key, say);
    const last = this.#eventsOf(row.id, key, say);
    if (lane === undefined) {
      say('its lane is missing or unreadable');
      return;
    }
    if (lane.scope !== key.scope || lane.threadId !== key.threadId) say('its lane names another thread');
    if (last !== undefined && last < lane.head) say(`its log ends at ${last} and its lane at ${lane.head}`);
    const [stored, right] = [indexIn(row), indexOf(lane)];
    if (stored.held !== right.held || stored.waiting !== right.waiting || !isFoundAlike(stored, right)) {
      say(`it is found by ${JSON.stringify(stored)} and its lane says ${JSON.stringify(right)}`);
    }
  }

  /** Returns the lane. */
  #recordsOf(thread: number, key: ThreadKey, say: (problem: string) => void): Lane | undefined {
    const rows = this.#db.prepare('select * from record where thread = ?').iterate(thread);
    let lane: Lane | undefined;
    for (const row of rows as IterableIterator<RecordRow>) {
      const name = { thread: key, kind: row.kind, id: fromSafeKey(row.id) };
      const value = this.#reading(() => {
        assertVersion(row.v, name);
        return parseObject(row.body, name);
      });
      if (row.kind === 'lane') lane = value as Lane | undefined;
      else this.#records += 1;
      if (value !== undefined) sayMisfiled(row, value, key, say);
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

function sayMisfiled(row: RecordRow, value: object, thread: ThreadKey, say: (problem: string) => void): void {
  const [stored, right] = [filedBy(row), filedIn(thread.scope, row.kind as RecordKind, value as Records[RecordKind])];
  if (stored?.scope === right?.scope && stored?.key === right?.key && stored?.label === right?.label) return;
  const name = `${row.kind} ${JSON.stringify(fromSafeKey(row.id))}`;
  say(`its ${name} is listed by ${JSON.stringify(stored)} and says ${JSON.stringify(right)}`);
}

/** As it is in the columns; a part of it may be missing. */
function filedBy({ scope, filing_key, filing_label }: RecordRow): Record<keyof Filed, string | undefined> | undefined {
  if (scope === null && filing_key === null && filing_label === null) return undefined;
  return { scope: nameIn(scope), key: nameIn(filing_key), label: nameIn(filing_label) };
}

function nameIn(column: string | null): string | undefined {
  return column === null ? undefined : fromSafeKey(column);
}

function indexIn({ wake_at, ready_at, ready_actor, held, waiting }: ThreadRow): LaneIndex {
  const ready = ready_at === null ? undefined : { actor: fromSafeKey(ready_actor ?? ''), atMs: ready_at };
  return { wakeAtMs: wake_at ?? undefined, ready, held: held === 1, waiting };
}
