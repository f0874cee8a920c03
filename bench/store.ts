import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ThreadKey } from '../schemas/id.ts';
import { type Deferred, deferred } from '../src/deferred.ts';
import { emptyLane } from '../src/lane/lane.ts';
import type { Write } from '../src/lane/records.ts';
import type { Store } from '../src/mailbox/store.ts';
import { onDisk, openStore } from './fixture.ts';
import { rate, type Row } from './table.ts';

const text = 'some words of a message, as people and models write them; '.repeat(6);
const warmThreads = 256;

/** Turns made durable a second, beside what the disk can do for one writer that gathers them: append, then sync. */
export async function storeCommits(forMs = 1500): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const inFlight of [1, 16, 256]) {
    const limit = await onDisk((directory) => appendAndSync(directory, inFlight, forMs / 2));
    const beside = { what: `append and sync, ${inFlight} in flight`, value: limit };
    rows.push({ ...(await measure('file', inFlight, forMs, (n) => n)), beside });
  }
  rows.push(await measure('file', 256, forMs, (n) => n % warmThreads));
  for (const inFlight of [1, 16, 256]) rows.push(await measure('memory', inFlight, forMs / 2, (n) => n));
  return rows;
}

function measure(
  kind: 'file' | 'memory',
  inFlight: number,
  forMs: number,
  threadOf: (n: number) => number,
): Promise<Row> {
  return onDisk(async (directory) => {
    const store = await openStore(kind, directory);
    const value = await rate(inFlight, forMs, (n) => turn(store, { scope: 'local', threadId: `t${threadOf(n)}` }, n));
    await store.close();
    const isWarm = threadOf(warmThreads) === 0;
    return {
      what: `turns, ${kind} store, ${inFlight} in flight`,
      value,
      unit: '/s',
      conditions: `${isWarm ? `on ${warmThreads} threads again and again` : 'a new thread each'}; a lane, 4 records, 2 events`,
    };
  });
}

function turn(store: Store, thread: ThreadKey, n: number): Promise<void> {
  return store.update(thread, (lane, _, nowMs) => {
    const before = lane ?? emptyLane(thread.scope, thread.threadId, 'log');
    const records = ['a', 'b', 'c', 'd'].map((id): Write => ({
      op: 'put',
      kind: 'memory',
      id: id + n,
      value: { value: text },
    }));
    const events = [1, 2].map((at): Write => {
      const seq = before.head + at;
      return {
        op: 'event',
        event: { seq, atMs: nowMs, threadId: thread.threadId, type: 'notice', level: 'info', text },
      };
    });
    return {
      lane: { ...before, head: before.head + 2, lastMs: nowMs },
      writes: [...records, ...events],
      outcome: undefined,
    };
  });
}

/** Bytes of a turn as the store writes it first. */
const turnBytes = 6 * (text.length + 60) + 200;

async function appendAndSync(directory: string, inFlight: number, forMs: number): Promise<number> {
  const file = await open(join(directory, 'log'), 'a');
  const bytes = Buffer.alloc(turnBytes, 'x');
  let waiting: Deferred<void>[] = [];
  let isWriting = false;
  const write = async (): Promise<void> => {
    isWriting = true;
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      await file.write(Buffer.concat(group.map(() => bytes)));
      await file.datasync();
      for (const one of group) one.resolve();
    }
    isWriting = false;
  };
  const value = await rate(inFlight, forMs, () => {
    const one = deferred();
    waiting.push(one);
    if (!isWriting) setImmediate(() => void (isWriting || write()));
    return one.promise;
  });
  await file.close();
  return value;
}
