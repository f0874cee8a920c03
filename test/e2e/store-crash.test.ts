import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { doctor } from '../../src/stores/doctor.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { temporaryDirectory } from '../support/gateway-process.ts';
import { allEvents, noticesOf, threadOf } from '../support/turns.ts';

const rounds = 20;
const threads = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => threadOf(name));
const seed = Math.floor(Math.random() * 2 ** 31);

interface Line {
  readonly opening?: string;
  readonly opened?: string;
  readonly thread?: string;
  readonly texts?: readonly string[];
  readonly lastRun?: string;
}

test(`whenever a writing process is killed, all it was told is there and nothing is half there (seed ${seed})`, async () => {
  const random = randomFrom(seed);
  await using directory = await temporaryDirectory();
  const before = new Map<string, readonly string[]>(threads.map(({ threadId }) => [threadId, []]));
  for (let round = 0; round < rounds; round++) {
    const [generationChars, directCommits] = [2 ** (8 + random(12)), 1 + random(60)];
    const args = [directory.path, String(round), String(generationChars), String(directCommits)];
    const told = await writeUntilKilled(args, random(300));
    const { problems } = await doctor(directory.path);
    expect(problems).toEqual([]);
    await using store = await FileStore.open({ directory: directory.path, clock: systemClock });
    for (const thread of threads) {
      const found = await noticesOf(store, thread);
      const ours = told.filter((line) => line.thread === thread.threadId);
      const expected = [...(before.get(thread.threadId) ?? []), ...ours.flatMap((line) => line.texts ?? [])];
      expect(found.slice(0, expected.length), `round ${round}, ${thread.threadId}`).toEqual(expected);
      expect((await allEvents(store, thread)).map((event) => event.seq)).toEqual(found.map((_, at) => at + 1));
      await assertWhole(store, thread.threadId, found);
      const lastRun = ours.findLast((line) => line.lastRun !== undefined)?.lastRun;
      if (lastRun !== undefined) await assertNotBefore(store, thread.threadId, lastRun);
      before.set(thread.threadId, found);
    }
  }
}, 120_000);

test('a second process is refused while the first lives, and starts at once when it was killed', async () => {
  await using directory = await temporaryDirectory();
  const refusals: Promise<unknown>[] = [];
  let pid: number | undefined;
  await writeUntilKilled([directory.path, '0', '1000', '8'], 20, async (of) => {
    pid = of;
    refusals.push(FileStore.open({ directory: directory.path, clock: systemClock }).catch((fault: unknown) => fault));
    await Promise.all(refusals);
  });
  expect(await refusals[0]).toMatchObject({
    code: 'store-failed',
    message: expect.stringContaining(`process ${pid}`) as string,
  });
  const store = await FileStore.open({ directory: directory.path, clock: systemClock });
  await store.close();
});

/** Kills the writer when it has said so many things, and returns what it was told until then. */
async function writeUntilKilled(
  args: readonly string[],
  killAfter: number,
  whenOpen?: (pid: number | undefined) => Promise<void>,
): Promise<Line[]> {
  const script = new URL('../support/store-writer.ts', import.meta.url).pathname;
  const typescript = new URL('../../scripts/typescript.mjs', import.meta.url).href;
  const child = spawn(process.execPath, ['--import', typescript, script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const lines: Line[] = [];
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    if (line.opened !== undefined) await whenOpen?.(child.pid);
    if (lines.length === killAfter + 1) child.kill('SIGKILL');
  }
  const [code, signal] = await exited;
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  return lines;
}

/** Each turn wrote an event and a record: both or neither is there. */
async function assertWhole(store: FileStore, threadId: string, found: readonly string[]): Promise<void> {
  const thread = threadOf(threadId);
  if (!['a', 'c', 'e'].includes(threadId)) return;
  const records = await store.listRecords(thread, 'memory', '', Number.MAX_SAFE_INTEGER);
  expect(records.map((record) => record.value).toSorted()).toEqual([...found].toSorted());
}

async function assertNotBefore(store: FileStore, threadId: string, lastRun: string): Promise<void> {
  const found = await store.findRecord(threadOf(threadId), 'memory', 'last run');
  const [round = 0, run = 0] = String(found?.value).split('.').map(Number);
  const [toldRound = 0, toldRun = 0] = lastRun.split('.').map(Number);
  expect(round).toBe(toldRound);
  expect(run).toBeGreaterThanOrEqual(toldRun);
}

/** Whole numbers below a bound; the same for the same seed. */
function randomFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
