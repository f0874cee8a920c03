import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Change } from '../../../src/stores/engine.ts';
import { chunksOf } from '../../../src/stores/event-chunk.ts';
import { examine } from '../../../src/stores/examination.ts';
import { indexOf } from '../../../src/stores/lane-index.ts';
import { encodeRedo } from '../../../src/stores/redo-text.ts';
import type { Database } from '../../../src/stores/sqlite.ts';
import { openTables } from '../../../src/stores/tables.ts';
import { Writer } from '../../../src/stores/writer.ts';
import { temporaryDirectory } from '../../support/gateway-process.ts';
import { laneOf, notice, openRun, queuedRun, running, threadOf } from '../../support/turns.ts';

const tables = ['redo', 'thread', 'record', 'event'];
const statements = ['insert', 'update', 'delete'];

test('whichever write of a commit fails, nothing of that commit is kept and all of the earlier ones is', async () => {
  await using directory = await temporaryDirectory();
  for (let writes = 0; ; writes++) {
    const file = join(directory.path, `${writes}.db`);
    const db = openTables(file);
    layFuse(db, writes);
    const kept = commitUntilFailure(new Writer(db, 1));
    removeFuse(db);
    db.close();
    const again = openTables(file);
    new Writer(again, 1).recover();
    const { problems, events } = examine(again);
    again.close();
    expect(problems, `write ${writes}`).toEqual([]);
    // The sixth commit drops a thread with four.
    expect(events, `write ${writes}`).toBe(2 * kept - (kept < 6 ? 0 : 4));
    if (kept === rounds) {
      expect(writes).toBeGreaterThan(30);
      return;
    }
  }
});

test('what is left to redo is redone to the same, however much of it was applied before', async () => {
  await using directory = await temporaryDirectory();
  const contents = [1, 700, 2000, Number.POSITIVE_INFINITY].map((generationChars) => {
    const file = join(directory.path, `${generationChars}.db`);
    const db = openTables(file);
    commitUntilFailure(new Writer(db, generationChars));
    // The process ends here: nothing more is applied.
    db.close();
    const again = openTables(file);
    new Writer(again, generationChars).recover();
    const found = contentOf(again);
    expect(examine(again).problems).toEqual([]);
    again.close();
    return found;
  });
  for (const content of contents) expect(content).toEqual(contents[0]);
});

const rounds = 9;

/** Returns how many commits were made. */
function commitUntilFailure(writer: Writer): number {
  for (let round = 0; round < rounds; round++) {
    try {
      const changes = changesOf(round);
      const direct = changes.filter((change) => change.is === 'drop' || change.created);
      const redo = changes.filter((change) => change.is === 'drop' || !change.created);
      writer.commit(encodeRedo(direct), encodeRedo(redo));
    } catch (error) {
      expect(String(error)).toContain('injected');
      return round;
    }
  }
  return rounds;
}

/** Two threads in turn with a lane, records and two events a round; the second is dropped and made again. */
function changesOf(round: number): Change[] {
  const isFirst = round % 2 === 0;
  const visit = Math.floor(round / 2);
  const drops = !isFirst && visit === 2;
  const id = isFirst ? 1 : visit < 2 ? 2 : 3;
  const of = isFirst ? visit : visit % 2;
  const thread = { id, key: threadOf(isFirst ? 'first' : 'second') };
  const queue = visit % 2 === 0 ? [queuedRun('r', 'me', 5 * round)] : [];
  const open = visit % 2 === 0 ? undefined : openRun('r', running('t'));
  const lane = { ...laneOf(thread.key), head: 2 * of + 2, lastMs: round % 3 === 0 ? 0 : 100, queue, open };
  const events = [1, 2].map((at) => ({ seq: 2 * of + at, atMs: round, threadId: thread.key.threadId, ...notice('x') }));
  const turns: Change = {
    is: 'turns',
    thread,
    created: of === 0,
    lane: { text: JSON.stringify(lane), index: indexOf(lane), moves: true },
    records: [
      { kind: 'memory', id: 'always', text: `{"round":${round}}` },
      { kind: 'memory', id: `once ${round}`, text: '{}' },
      { kind: 'memory', id: `once ${round - 2}`, text: undefined },
    ],
    chunks: chunksOf(events),
  };
  return drops ? [{ is: 'drop', thread: { ...thread, id: 2 } }, turns] : [turns];
}

/** Every write of the tables takes one; the one that finds none left fails as on a full disk. */
function layFuse(db: Database, writes: number): void {
  db.exec(`create table fuse (writes integer); insert into fuse values (${writes})`);
  for (const table of tables) {
    for (const change of statements) {
      db.exec(`create trigger fuse_${table}_${change} before ${change} on ${table} begin
        update fuse set writes = writes - 1;
        select raise(abort, 'injected: the disk is full') from fuse where writes < 0;
      end`);
    }
  }
}

function removeFuse(db: Database): void {
  for (const table of tables) for (const change of statements) db.exec(`drop trigger fuse_${table}_${change}`);
  db.exec('drop table fuse');
}

function contentOf(db: Database): unknown {
  return {
    threads: db.prepare('select * from thread order by id').all(),
    records: db.prepare('select * from record order by thread, kind, id').all(),
    events: (db.prepare('select thread, body from event order by thread, last').all() as { body: string }[])
      .map((row) => JSON.parse(row.body))
      .flat(),
    redo: db.prepare('select * from redo').all(),
  };
}
