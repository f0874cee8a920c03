import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ThreadKey } from '../../../schemas/id.ts';
import type { Change, RecordChange, StoredThread } from '../../../src/stores/engine.ts';
import { chunksOf } from '../../../src/stores/event-chunk.ts';
import { examine } from '../../../src/stores/examination.ts';
import { indexOf } from '../../../src/stores/lane-index.ts';
import { encodeChanges } from '../../../src/stores/change-text.ts';
import type { Database } from '../../../src/stores/sqlite.ts';
import { openTables } from '../../../src/stores/tables.ts';
import { Writer } from '../../../src/stores/writer.ts';
import { temporaryDirectory } from '../../support/gateway-process.ts';
import { laneOf, notice, openRun, queuedRun, running, runRecord, threadOf } from '../../support/turns.ts';

/** What one thread is given in one commit. */
interface Given {
  readonly name: string;
  readonly what: 'turn' | 'append' | 'drop';
  /** What the lane is then found by. */
  readonly lane: 'ready' | 'due' | 'held' | 'none';
}

const given = fc.record<Given>({
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  what: fc.constantFrom('turn', 'turn', 'turn', 'append', 'append', 'drop'),
  lane: fc.constantFrom('ready', 'due', 'held', 'none'),
});
const commits = fc.array(
  fc.record({
    given: fc.uniqueArray(given, { selector: ({ name }) => name, minLength: 1 }),
    crashes: fc.constantFrom(false, false, false, true),
  }),
  { minLength: 5, maxLength: 30, size: 'max' },
);

test('whatever is applied when, and wherever the process ends, the tables come to hold the same', async () => {
  await using directory = await temporaryDirectory();
  let run = 0;
  fc.assert(
    fc.property(commits, fc.constantFrom(1, 1000, 4000, 8000), (all, generationChars) => {
      run += 1;
      const files = ['crashing', 'calm'].map((name) => join(directory.path, `${run} ${name}.db`)) as [string, string];
      let crashing = openWriter(files[0], generationChars);
      const calm = openWriter(files[1], Number.POSITIVE_INFINITY);
      const threads = new Threads();
      for (const { given: gifts, crashes } of all) {
        const { direct, redo } = threads.changesOf(gifts);
        for (const { writer } of [crashing, calm]) writer.commit(direct, redo);
        expect(foundBy(crashing.db)).toEqual(foundBy(calm.db));
        if (!crashes) continue;
        crashing.db.close();
        crashing = openWriter(files[0], generationChars);
        expect(examine(crashing.db).problems).toEqual([]);
      }
      crashing.writer.settle();
      calm.writer.settle();
      expect(contentOf(crashing.db)).toEqual(contentOf(calm.db));
      for (const { db } of [crashing, calm]) db.close();
    }),
    { numRuns: 60 },
  );
});

test(
  'whichever write of a commit fails, nothing of that commit is kept and all of the earlier ones is',
  { tags: 'commit-is-all-or-nothing' },
  async () => {
    await using directory = await temporaryDirectory();
    for (let writes = 0; ; writes++) {
      const file = join(directory.path, `${writes}.db`);
      const { db, writer } = openWriter(file, 1);
      layFuse(db, writes);
      const kept = commitUntilFailure(writer);
      removeFuse(db);
      db.close();
      const again = openWriter(file, 1);
      const { problems, events, threads } = examine(again.db);
      again.db.close();
      expect(problems, `write ${writes}`).toEqual([]);
      expect([events, threads], `write ${writes}`).toEqual(eventsAndThreadsAfter[kept]);
      if (kept === script.length) {
        expect(writes).toBeGreaterThan(30);
        return;
      }
    }
  },
);

const script: readonly Given[][] = [
  [{ name: 'a', what: 'turn', lane: 'held' }],
  [
    { name: 'a', what: 'append', lane: 'none' },
    { name: 'b', what: 'turn', lane: 'ready' },
  ],
  [
    { name: 'a', what: 'turn', lane: 'due' },
    { name: 'b', what: 'turn', lane: 'held' },
  ],
  [
    { name: 'b', what: 'drop', lane: 'none' },
    { name: 'a', what: 'turn', lane: 'none' },
  ],
  [{ name: 'b', what: 'turn', lane: 'none' }],
];
const eventsAndThreadsAfter = [
  [0, 0],
  [2, 1],
  [6, 2],
  [10, 2],
  [8, 1],
  [10, 2],
];

/** Returns how many commits were made. */
function commitUntilFailure(writer: Writer): number {
  const threads = new Threads();
  for (const [made, gifts] of script.entries()) {
    const { direct, redo } = threads.changesOf(gifts);
    try {
      writer.commit(direct, redo);
    } catch (error) {
      expect(String(error)).toContain('injected');
      return made;
    }
  }
  return script.length;
}

function openWriter(file: string, generationChars: number): { readonly db: Database; readonly writer: Writer } {
  const db = openTables(file);
  const writer = new Writer(db, generationChars);
  writer.recover();
  expect(db.prepare('select count(*) as rows from redo').get()).toMatchObject({ rows: 0 });
  return { db, writer };
}

/** Makes changes as a turn store would: a thread's events are numbered, its first commit and its end go to the tables. */
class Threads {
  readonly #threads = new Map<string, { readonly stored: StoredThread; head: number }>();
  #lastId = 0;
  #commits = 0;

  changesOf(gifts: readonly Given[]): { direct: string; redo: string } {
    this.#commits += 1;
    const changes = gifts.flatMap((one) => this.#changeOf(one));
    return {
      direct: encodeChanges(changes.filter((change) => change.is === 'drop' || change.created)),
      redo: encodeChanges(changes.filter((change) => change.is === 'drop' || !change.created)),
    };
  }

  #changeOf({ name, what, lane: kind }: Given): Change[] {
    const known = this.#threads.get(name);
    if (known !== undefined && what === 'drop') {
      this.#threads.delete(name);
      return [{ is: 'drop', thread: known.stored }];
    }
    const thread = known ?? { stored: { id: (this.#lastId += 1), key: threadOf(name) }, head: 0 };
    this.#threads.set(name, thread);
    thread.head += 2;
    const { stored, head } = thread;
    const events = [head - 1, head].map((seq) => ({ seq, atMs: seq, threadId: name, ...notice(`${name}${seq}`) }));
    const isAppend = what === 'append' && known !== undefined;
    const lane = { ...laneOf(stored.key), head, lastMs: 100, ...laneOfKind(kind, this.#commits) };
    return [
      {
        is: 'turns',
        thread: stored,
        created: known === undefined,
        lane: isAppend ? undefined : { text: JSON.stringify(lane), index: indexOf(lane), moves: true },
        records: isAppend
          ? []
          : [
              memoryOf('always', `{"commit":${this.#commits}}`),
              memoryOf(String(this.#commits), '{}'),
              memoryOf(String(this.#commits - 2), undefined),
              runOf(stored.key, `${name} always`, kind),
              runOf(stored.key, `${name} ${this.#commits}`, kind),
              { kind: 'run', id: `${name} ${this.#commits - 1}`, text: undefined, filed: undefined },
            ],
        chunks: chunksOf(events),
      },
    ];
  }
}

function memoryOf(id: string, text: string | undefined): RecordChange {
  return { kind: 'memory', id, text, filed: undefined };
}

/** Listed under another label, as its lane changes. */
function runOf(thread: ThreadKey, id: string, lane: Given['lane']): RecordChange {
  const run = runRecord(thread, id, lane === 'none' ? { endedAtMs: 1 } : {});
  const text = JSON.stringify('value' in run ? run.value : undefined);
  return {
    kind: 'run',
    id,
    text,
    filed: { scope: thread.scope, key: id, label: lane === 'none' ? 'done' : 'running' },
  };
}

function laneOfKind(kind: Given['lane'], n: number): object {
  switch (kind) {
    case 'ready':
      return { queue: [queuedRun('r', `actor ${n}`, 50)] };
    case 'due':
      return { queue: [queuedRun('r', 'me', 1000 + n, n % 3)] };
    case 'held':
      return { open: openRun('r', running('t')) };
    case 'none':
      return {};
  }
}

/** What a search for ready or due threads finds, whether or not the lanes are in the tables yet. */
function foundBy(db: Database): unknown {
  return db.prepare('select id, scope, name, wake_at, ready_at, ready_actor from thread order by id').all();
}

function contentOf(db: Database): unknown {
  const rows = db.prepare('select thread, body from event order by thread, last').all() as {
    thread: number;
    body: string;
  }[];
  return {
    threads: db.prepare('select * from thread order by id').all(),
    records: db.prepare('select * from record order by thread, kind, id').all(),
    // However they are spread over rows.
    events: rows.flatMap(({ thread, body }) => (JSON.parse(body) as object[]).map((event) => ({ thread, event }))),
    redo: db.prepare('select * from redo').all(),
  };
}

const tables = ['redo', 'thread', 'record', 'event'];
const statements = ['insert', 'update', 'delete'];

/** Every write of the tables takes one; the one that finds none left fails as on a full disk. */
function layFuse(db: Database, writes: number): void {
  db.exec(`create table fuse (writes integer); insert into fuse values (${writes})`);
  for (const table of tables) {
    for (const statement of statements) {
      db.exec(`create trigger fuse_${table}_${statement} before ${statement} on ${table} begin
        update fuse set writes = writes - 1;
        select raise(abort, 'injected: the disk is full') from fuse where writes < 0;
      end`);
    }
  }
}

function removeFuse(db: Database): void {
  for (const table of tables) {
    for (const statement of statements) db.exec(`drop trigger fuse_${table}_${statement}`);
  }
  db.exec('drop table fuse');
}
