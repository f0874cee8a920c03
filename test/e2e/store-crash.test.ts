import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { doctor } from '../../src/stores/doctor.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { temporaryDirectory } from '../support/gateway-process.ts';
import { allEvents, noticesOf, threadOf } from '../support/turns.ts';

const rounds = 20;
/** As the writer writes them: every other one by turns, each with an event and a record; the others by appends. */
const threads = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, at) => ({ ...threadOf(name), byTurns: at % 2 === 0 }));
const seed = Math.floor(Math.random() * 2 ** 31);

/** What the writer says, a line each. */
interface Line {
  readonly opened?: string;
  readonly thread?: string;
  readonly texts?: readonly string[];
  readonly lastRun?: string;
}

interface Written {
  readonly lines: readonly Line[];
  readonly errors: string;
  readonly exit: readonly [number | null, NodeJS.Signals | null];
}

test(
  `whenever a writing process is killed, all it was told is there and nothing is half there (seed ${seed})`,
  { tags: ['kill-loses-nothing-told', 'commit-is-all-or-nothing'], timeout: 300_000 },
  async () => {
    const random = randomFrom(seed);
    await using directory = await temporaryDirectory();
    let before: Found = new Map();
    for (let round = 0; round < rounds; round++) {
      const [generationChars, directCommits, killAfter] = [2 ** (8 + random(12)), 1 + random(60), random(300)];
      const args = [directory.path, round, generationChars, directCommits];
      const { lines, errors, exit } = await write(args, { killAfter });
      expect(exit, errors).toEqual([null, 'SIGKILL']);
      before = await assertKept(directory.path, before, lines);
    }
  },
);

test(
  'when the disk refuses a write, all that was told is there and nothing is half there',
  { tags: ['failed-commit-is-told', 'commit-is-all-or-nothing'] },
  async () => {
    await using directory = await temporaryDirectory();
    let before: Found = new Map();
    for (const [round, kibibytes] of [300, 350, 900].entries()) {
      const args = [directory.path, round, 20_000, 10];
      const { lines, exit, errors } = await write(args, { maxFileKibibytes: kibibytes });
      expect(exit).toEqual([1, null]);
      expect(errors).toContain('a commit failed; the store is read-only until it is reopened');
      before = await assertKept(directory.path, before, lines);
    }
  },
);

test(
  'a second process is refused while the first lives, and starts at once when it was killed',
  { tags: 'second-process-is-refused' },
  async () => {
    await using directory = await temporaryDirectory();
    let refusal: unknown;
    let pid: number | undefined;
    const whenOpen = async (of: number | undefined): Promise<void> => {
      pid = of;
      refusal = await FileStore.open({ directory: directory.path, clock: systemClock }).catch(
        (fault: unknown) => fault,
      );
    };
    await write([directory.path, 0, 1000, 8], { killAfter: 20, whenOpen });
    expect(refusal).toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining(`process ${pid}`) as string,
    });
    const store = await FileStore.open({ directory: directory.path, clock: systemClock });
    await store.close();
  },
);

interface End {
  /** Killed when it has said so many things. */
  readonly killAfter?: number;
  /** No file of it can grow beyond. */
  readonly maxFileKibibytes?: number;
  readonly whenOpen?: (pid: number | undefined) => Promise<void>;
}

/** Has a process write until its end, and returns all it was told until then. */
async function write(
  args: readonly (string | number)[],
  { killAfter, maxFileKibibytes, whenOpen }: End,
): Promise<Written> {
  const script = new URL('../support/store-writer.ts', import.meta.url).pathname;
  const typescript = new URL('../../scripts/typescript.mjs', import.meta.url).href;
  const limit = maxFileKibibytes === undefined ? 'unlimited' : maxFileKibibytes * 2;
  const command = ['-c', `ulimit -f ${limit} && exec "$@"`, 'sh', process.execPath, '--import', typescript, script];
  const child = spawn('sh', [...command, ...args.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const errors = textOf(child.stderr);
  const lines: Line[] = [];
  let cut = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    const texts = (cut + String(chunk)).split('\n');
    // What its end cut off within a line, it has not said.
    cut = texts.pop() ?? '';
    for (const text of texts) {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      if (line.opened !== undefined) await whenOpen?.(child.pid);
      if (killAfter !== undefined && lines.length === killAfter + 1) child.kill('SIGKILL');
    }
  }
  return { lines, errors: await errors, exit: await exited };
}

/** Texts of notices by thread. */
type Found = ReadonlyMap<string, readonly string[]>;

async function assertKept(directory: string, before: Found, told: readonly Line[]): Promise<Found> {
  expect((await doctor(directory)).problems).toEqual([]);
  await using store = await FileStore.open({ directory, clock: systemClock });
  const all = new Map<string, readonly string[]>();
  for (const thread of threads) {
    const found = await noticesOf(store, thread);
    const ours = told.filter((line) => line.thread === thread.threadId);
    const expected = [...(before.get(thread.threadId) ?? []), ...ours.flatMap((line) => line.texts ?? [])];
    expect(found.slice(0, expected.length), thread.threadId).toEqual(expected);
    expect((await allEvents(store, thread)).map((event) => event.seq)).toEqual(found.map((_, at) => at + 1));
    if (thread.byTurns) await assertWhole(store, thread.threadId, found);
    else await assertNotBefore(store, thread.threadId, ours.findLast((line) => line.lastRun !== undefined)?.lastRun);
    all.set(thread.threadId, found);
  }
  return all;
}

/** Of each turn's event and record both are there or neither. */
async function assertWhole(store: FileStore, threadId: string, found: readonly string[]): Promise<void> {
  const records = await store.listRecords(threadOf(threadId), 'memory', '', Number.MAX_SAFE_INTEGER);
  expect(records.map((record) => record.value).toSorted()).toEqual([...found].toSorted());
}

/** A record that is written over and over is as it was told last, or later. */
async function assertNotBefore(store: FileStore, threadId: string, lastRun: string | undefined): Promise<void> {
  if (lastRun === undefined) return;
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
