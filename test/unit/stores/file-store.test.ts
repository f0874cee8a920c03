import { chmod, cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Fault } from '../../../src/fault.ts';
import { doctor } from '../../../src/stores/doctor.ts';
import { FileStore, type FileStoreOptions } from '../../../src/stores/file-store.ts';
import { DatabaseSync } from '../../../src/stores/sqlite.ts';
import { connect } from '../../../src/stores/tables.ts';
import { temporaryDirectory } from '../../support/gateway-process.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  claimed,
  drop,
  note,
  notice,
  noticesOf,
  openRun,
  running,
  runRecord,
  threadOf,
  write,
} from '../../support/turns.ts';

const thread = threadOf('t');
const other = threadOf('other');
let prepared: Awaited<ReturnType<typeof temporaryDirectory>>;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

/** Three notes on a thread, each in a row of its own, and one on another. */
beforeAll(async () => {
  prepared = await temporaryDirectory();
  await using store = await FileStore.open({ directory: prepared.path, clock: new ManualClock() });
  for (const text of ['a', 'b', 'c']) {
    await store.update(thread, note(thread, text));
    // Evicts nothing, but has what was written applied.
    await store.purge(0, 1);
  }
  await store.update(other, note(other, 'd'));
  await store.update(other, write(other, runRecord(other, 'r')));
});
afterAll(() => prepared[Symbol.asyncDispose]());

beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  vi.useRealTimers();
  await directory[Symbol.asyncDispose]();
});

function open(options: Partial<FileStoreOptions> = {}): Promise<FileStore> {
  return FileStore.open({ directory: directory.path, clock: new ManualClock(), ...options });
}

/** A copy of what was prepared, after another program's hand was in it. */
async function damaged(sql: string): Promise<void> {
  await cp(prepared.path, directory.path, { recursive: true });
  inDatabase(sql);
}

function inDatabase(sql: string): void {
  const db = new DatabaseSync(join(directory.path, 'anyport.db'));
  try {
    db.enableDefensive(false);
    db.exec(sql);
  } finally {
    db.close();
  }
}

test(
  'a directory has one store at a time, and who is refused is told by whom',
  { tags: 'second-process-is-refused' },
  async () => {
    const store = await open();
    const refused = open();
    await expect(refused).rejects.toMatchObject({ code: 'store-failed', retryable: true });
    await expect(refused).rejects.toThrow(`${directory.path} is in use by another store, of process ${process.pid}`);
    await store.close();
    await (await open()).close();
  },
);

test('a connection waits from its first statement on where another one has the file', async () => {
  await (await open()).close();
  const file = join(directory.path, 'anyport.db');
  for (const options of [{}, { readOnly: true }]) {
    const db = connect(file, options);
    expect(db.prepare('pragma busy_timeout').get()).toEqual({ timeout: 5000 });
    db.close();
  }
});

test('nobody else may read what a store keeps, also in a directory that is open to all', async () => {
  await using shared = await temporaryDirectory();
  await chmod(shared.path, 0o755);
  await using store = await open({ directory: shared.path });
  await store.update(thread, note(thread, 'a'));
  for (const name of ['anyport.db', 'anyport.db-wal']) {
    expect((await stat(join(shared.path, name))).mode & 0o777, name).toBe(0o600);
  }
});

test('the database file of a store that was closed holds everything', async () => {
  const store = await open();
  for (const text of ['a', 'b', 'c']) await store.update(thread, note(thread, text));
  expect(await noticesOf(store, thread)).toHaveLength(3);
  await store.close();
  await using copy = await temporaryDirectory();
  await cp(join(directory.path, 'anyport.db'), join(copy.path, 'anyport.db'));
  await using again = await open({ directory: copy.path });
  expect(await noticesOf(again, thread)).toEqual(['a', 'b', 'c']);
});

test.each([
  ['newer', 9, /has format 9.* reads up to format 3: use a newer one/],
  ['older', 2, /has format 2, made by an earlier version.* reads format 3 alone: move the directory .* away/],
])('a database of a format that is %s is refused, saying what to do, and not touched', async (_, version, why) => {
  await damaged(`pragma user_version = ${version}`);
  const before = await readFile(join(directory.path, 'anyport.db'));
  const refusal = { code: 'store-failed', message: expect.stringMatching(why) as string };
  await expect(open()).rejects.toMatchObject({ ...refusal, retryable: false });
  await expect(doctor(directory.path)).rejects.toMatchObject(refusal);
  expect(await readFile(join(directory.path, 'anyport.db'))).toEqual(before);
});

test('what is no database is refused, and the directory let go of', async () => {
  await writeFile(join(directory.path, 'anyport.db'), 'a text of more than sixteen bytes');
  await expect(open()).rejects.toMatchObject({ code: 'store-failed' });
  await expect(open()).rejects.toThrow('not a database');
});

test('a directory that cannot be made is refused', async () => {
  await writeFile(join(directory.path, 'file'), '');
  const inside = FileStore.open({ directory: join(directory.path, 'file', 'data'), clock: new ManualClock() });
  await expect(inside).rejects.toMatchObject({ code: 'store-failed' });
});

test('with the disk below its low-water mark updates are refused, reads go on, and it recovers by itself', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let free = 1000;
  await using store = await open({ minFreeDiskBytes: 500, freeBytes: () => free });
  await store.update(thread, note(thread, 'a'));
  free = 499;
  vi.advanceTimersByTime(1000);
  await expect(store.update(thread, note(thread, 'b'))).rejects.toMatchObject({ code: 'disk-low' });
  expect(store.health()).toMatchObject({ is: 'read-only' });
  expect(await noticesOf(store, thread)).toEqual(['a']);
  free = 500;
  vi.advanceTimersByTime(1000);
  expect(await store.update(thread, note(thread, 'c'))).toBe(2);
  expect(store.health()).toEqual({ is: 'open' });
});

test.each([
  ['is no JSON', `body = '{"value":'`],
  ['is no object', `body = '[]'`],
  ['is null', `body = 'null'`],
  ['has another format', 'v = 4'],
])(
  'a record that %s is reported to who asks for it, and to nobody else',
  { tags: 'unreadable-record-is-reported' },
  async (_, to) => {
    await damaged(`update record set ${to} where kind = 'memory' and id = 'a'`);
    await using store = await open();
    const unreadable = {
      code: 'record-unreadable',
      message: expect.stringMatching(/memory "a" of thread "t"/) as string,
    };
    const results = await Promise.allSettled([
      store.update(thread, note(thread, 'before')),
      store.update(thread, (lane, found, nowMs) => {
        found.find('memory', 'a');
        return note(thread, 'never')(lane, found, nowMs);
      }),
      store.update(thread, (lane, found) => ({ lane: lane as never, writes: [], outcome: found.find('memory', 'b') })),
    ]);
    expect(results.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: unreadable });
    await expect(store.findRecord(thread, 'memory', 'a')).rejects.toMatchObject(unreadable);
    await expect(store.listRecords(thread, 'memory', '', 10)).rejects.toMatchObject(unreadable);
    expect(await store.listRecords(thread, 'memory', 'a', 10)).toHaveLength(3);
    expect(await noticesOf(store, thread)).toEqual(['a', 'b', 'c', 'before']);
  },
);

test(
  'a lane that cannot be read stops the turns of its thread alone',
  { tags: 'unreadable-work-holds-up-nobody' },
  async () => {
    await damaged(
      `update record set body = 'x' where kind = 'lane' and thread = (select id from thread where name = 't')`,
    );
    await using store = await open();
    const unreadable = { code: 'record-unreadable', message: expect.stringMatching(/lane "" of thread "t"/) as string };
    await expect(store.update(thread, note(thread, 'e'))).rejects.toMatchObject(unreadable);
    await expect(store.findLane(thread)).rejects.toMatchObject(unreadable);
    await expect(store.append({ thread, runId: 'r', attempt: 1, token: 't' }, 1, [])).rejects.toMatchObject(unreadable);
    expect(await noticesOf(store, thread)).toEqual(['a', 'b', 'c']);
    expect(await store.update(other, note(other, 'e'))).toBe(2);
  },
);

test(
  'events that cannot be read are reported, and the log goes on',
  { tags: 'torn-log-is-not-passed-over' },
  async () => {
    await damaged(`update event set body = '[{' where first = 2`);
    await using store = await open();
    expect(await store.update(thread, note(thread, 'e'))).toBe(4);
    await expect(store.readEvents(thread, 0, 10)).rejects.toMatchObject({ code: 'record-unreadable' });
    expect(await store.readEvents(thread, 2, 10)).toMatchObject([{ text: 'c' }, { text: 'e' }]);
  },
);

test.each([
  ['of another form', `3, 'put 1'`, 'a line of changes has no end'],
  ['of another format', `4, ''`, 'row 1 of the redo log has format 4'],
])(
  'a row of the redo log that is %s is not passed over',
  { tags: 'torn-log-is-not-passed-over' },
  async (_, values, why) => {
    await damaged(`insert into redo (n, v, body) values (1, ${values})`);
    await expect(open()).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining(why) as string,
    });
  },
);

test(
  'a commit that fails in the database leaves the store read-only until it is reopened',
  { tags: 'failed-commit-is-told' },
  async () => {
    const fuse = `begin select raise(abort, 'injected: the disk is full'); end`;
    await damaged(`create trigger fuse before insert on redo when new.n = 2 ${fuse}`);
    await using store = await open();
    expect(await store.update(thread, note(thread, 'told'))).toBe(4);
    const refused = store.update(thread, note(thread, 'lost'));
    await expect(refused).rejects.toMatchObject({ code: 'store-failed' });
    await expect(refused.catch((fault: Fault) => Promise.reject(fault.cause as Error))).rejects.toThrow(
      'the disk is full',
    );
    expect(await noticesOf(store, thread)).toEqual(['a', 'b', 'c', 'told']);
    await store.close();
    inDatabase('drop trigger fuse');
    await using again = await open();
    expect(await again.update(thread, note(thread, 'next'))).toBe(5);
  },
);

test('a list reads no record that is not in it, however many there are', async () => {
  await using store = await open({ tuning: { generationChars: 1, directCommits: 1 } });
  const ids = Array.from({ length: 500 }, (_, n) => `r${1000 + n}`);
  const rare = new Set(['r1003', 'r1250']);
  await store.update(
    thread,
    write(thread, ...ids.map((id) => runRecord(thread, id, rare.has(id) ? { endedAtMs: 1 } : {}))),
  );
  inDatabase(`update record set v = 7 where kind = 'run' and id not in ('r1003', 'r1250', 'r1499')`);
  for (const threadId of [undefined, 't']) {
    const of = { scope: 'local', kind: 'run', threadId } as const;
    expect(await store.list({ ...of, label: 'done', limit: 9 })).toMatchObject([{ key: 'r1250' }, { key: 'r1003' }]);
    expect(await store.list({ ...of, before: 'r1004', limit: 1 })).toMatchObject([{ key: 'r1003' }]);
    expect(await store.list({ ...of, limit: 1 })).toMatchObject([{ key: 'r1499' }]);
    const unreadable = { code: 'record-unreadable', message: expect.stringContaining('run "r1498" of') as string };
    await expect(store.list({ ...of, limit: 2 })).rejects.toMatchObject(unreadable);
  }
});

test('a thread that was dropped just now is passed over, though its end is not told yet', async () => {
  await using store = await open({ tuning: { generationChars: 1_000_000, directCommits: 1 } });
  for (const key of [thread, other]) {
    await store.update(key, note(key, 'a', { open: openRun('r', running('t')) }));
    await store.update(key, write(key, runRecord(key, `${key.threadId} r`)));
    await store.update(key, note(key, 'b', { open: openRun('r', running('u')) }));
  }
  const dropped = store.update(thread, drop(thread));
  await new Promise(setImmediate);
  const db = new DatabaseSync(join(directory.path, 'anyport.db'), { readOnly: true });
  const left = db.prepare(`select 1 from thread where name = 't'`);
  while (left.get() !== undefined);
  db.close();
  const reads = [store.list({ scope: 'local', kind: 'run', limit: 9 }), store.held(undefined, 9)] as const;
  const located = store.locate('local', 'run', 't r');
  expect(await reads[0]).toMatchObject([{ thread: other }]);
  expect(await reads[1]).toEqual([other]);
  expect(await located).toBeUndefined();
  await dropped;
});

test('what has been applied is read from the tables, and is no longer kept in memory', async () => {
  await using store = await open({ tuning: { generationChars: 1, directCommits: 1 } });
  for (const text of ['a', 'b', 'c']) await store.update(thread, note(thread, text));
  await store.update(other, note(other, 'd'));
  inDatabase(`update record set body = '{"value":"changed"}' where id = 'b'`);
  expect(await store.findRecord(thread, 'memory', 'b')).toEqual({ value: 'changed' });
});

test('a doctor finds nothing wrong with what a store has left, and changes nothing', async () => {
  const store = await open();
  await store.update(thread, note(thread, 'a'));
  const claim = await claimed(store, threadOf('claimed'));
  await store.append(claim, 1, [notice('b'), notice('c')]);
  await expect(doctor(directory.path)).rejects.toThrow('in use');
  await store.close();
  expect(await doctor(directory.path)).toEqual({ threads: 2, events: 3, records: 1, problems: [] });
});

/** Adds a run while the database does not know that it has an index. */
const behindIndex = `
  create temp table kept as select * from sqlite_schema where name = 'record_filed';
  pragma writable_schema = on;
  delete from sqlite_schema where name = 'record_filed';
  pragma writable_schema = reset;
  insert into record select thread, kind, 'z', v, scope, 'z', filing_label, body from record where kind = 'run';
  pragma writable_schema = on;
  insert into sqlite_schema select * from kept;
  pragma writable_schema = reset;
`;

test.each<[string, string, RegExp]>([
  [
    'an unreadable record',
    `update record set body = '{' where kind = 'memory'`,
    /memory "a" of thread "t".* cannot be read/,
  ],
  ['an unreadable lane', `update record set v = 7 where kind = 'lane'`, /lane "" of thread "t".* has format 7/],
  ['unreadable events', `update event set body = '{}'`, /event "1" of thread "t".* is no list/],
  ['a missing lane', `delete from record where kind = 'lane'`, /its lane is missing/],
  ['a wrong wake time', 'update thread set wake_at = 5', /found by \{"wakeAtMs":5.* its lane says/],
  ['a thread that is not held', 'update thread set held = 1', /found by .*"held":true/],
  ['requests that do not wait', 'update thread set waiting = 2', /found by .*"waiting":2.*"waiting":0/],
  [
    'a run under another label',
    `update record set filing_label = 'done' where kind = 'run'`,
    /run "r" is listed by .*"label":"done".* says .*"label":"running"/,
  ],
  [
    'a run in another place',
    `update record set filing_key = 'q' where kind = 'run'`,
    /run "r" is listed by .*"key":"q".* says .*"key":"r"/,
  ],
  [
    'a run in the list of another scope',
    `update record set scope = 'other' where kind = 'run'`,
    /run "r" is listed by .*"scope":"other".* says .*"scope":"local"/,
  ],
  [
    'a run in no list',
    `update record set scope = null, filing_key = null, filing_label = null where kind = 'run'`,
    /run "r" is listed by undefined and says \{"scope":"local"/,
  ],
  [
    'a record in a list that is in none',
    `update record set filing_key = 'a' where kind = 'memory'`,
    /memory "a" is listed by \{"key":"a"\} and says undefined/,
  ],
  ['an index that lacks a run', behindIndex, /the database itself: .*record_filed/],
  ['a missing event', 'delete from event where first = 2', /its log goes on at 3 behind 1/],
  ['a missing end', 'delete from event where first = 3', /its log ends at 2 and its lane at 3/],
  [
    'wrongly numbered events',
    'update event set last = 9 where last = 3',
    /its events 3 to 9 are not what their row says/,
  ],
  ['rows of no thread', 'delete from thread', /rows of record belong to no thread/],
])('a doctor finds %s', async (_, sql, said) => {
  await damaged(sql);
  const { problems } = await doctor(directory.path);
  expect(problems.join('\n')).toMatch(said);
});

test('a doctor finds nothing in a store that was never written to', async () => {
  await writeFile(join(directory.path, 'anyport.db'), '');
  expect(await doctor(directory.path)).toEqual({ threads: 0, events: 0, records: 0, problems: [] });
});

test('a doctor of no store says so', async () => {
  await expect(doctor(directory.path)).rejects.toMatchObject({ code: 'not-found' });
  await expect(doctor(join(directory.path, 'none'))).rejects.toMatchObject({ code: 'not-found' });
});
