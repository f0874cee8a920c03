import { expect, test } from 'vitest';
import type { ThreadKey } from '../../schemas/id.ts';
import type { Store } from '../../src/mailbox/store.ts';
import { FailingEngine } from '../support/failing-engine.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { NewStorage, Storage } from '../support/open-stores.ts';
import { claimed, note, notice, noticesOf, threadOf } from '../support/turns.ts';

const clock = new ManualClock();

export function storeFailures(newStorage: NewStorage): void {
  test.each(['before', 'after'] as const)(
    'whichever commit fails, %s it is kept: all waiters are refused, nothing more is told, a prefix is found again',
    { tags: ['failed-commit-is-told', 'commit-is-all-or-nothing'] },
    async (when) => {
      await using storage = await newStorage();
      const commits = await countCommits(storage);
      expect(commits).toBeGreaterThan(5);
      let before: Told[] = [];
      for (let failAt = 1; failAt <= commits; failAt++) {
        const wrapped = await storage.open({ clock, wrap: (engine) => new FailingEngine(engine, failAt, when) });
        await assertPrefix(wrapped, before);
        before = toldOf(`failing ${when} ${failAt}`);
        await runFailing(wrapped, before);
        await wrapped.close();
      }
      await using again = await storage.open({ clock });
      await assertPrefix(again, before);
      for (const { thread } of before) {
        const found = await noticesOf(again, thread);
        expect(await again.update(thread, note(thread, 'on'))).toBe(found.length + 1);
      }
    },
  );

  test(
    'a store whose commit failed serves reads and says that it is read-only',
    { tags: 'failed-commit-is-told' },
    async () => {
      await using storage = await newStorage();
      await using store = await storage.open({ clock, wrap: (engine) => new FailingEngine(engine, 2, 'before') });
      const thread = threadOf('t');
      await store.update(thread, note(thread, 'kept'));
      expect(store.health()).toEqual({ is: 'open' });
      await expect(store.update(thread, note(thread, 'lost'))).rejects.toMatchObject({ code: 'store-failed' });
      expect(store.health()).toMatchObject({ is: 'read-only' });
      const same = store.update(thread, (lane) => ({ lane: lane as never, writes: [], outcome: 0 }));
      await expect(same).rejects.toMatchObject({ code: 'store-failed' });
      await expect(store.purge(1, 1)).rejects.toMatchObject({ code: 'store-failed' });
      expect(await noticesOf(store, thread)).toEqual(['kept']);
      expect(await store.findLane(thread)).toMatchObject({ head: 1 });
      expect(await store.listThreads('local', '', 10)).toEqual([thread]);
    },
  );
}

/** Texts of one thread's notices: in the order they were decided, and those of them that were told. */
interface Told {
  readonly thread: ThreadKey;
  readonly decided: string[];
  readonly acknowledged: string[];
}

function toldOf(name: string): Told[] {
  return ['a', 'b', 'c'].map((thread) => ({ thread: threadOf(`${name} ${thread}`), decided: [], acknowledged: [] }));
}

async function assertPrefix(store: Store, told: readonly Told[]): Promise<void> {
  for (const { thread, decided, acknowledged } of told) {
    const found = await noticesOf(store, thread);
    expect(found, thread.threadId).toEqual(decided.slice(0, found.length));
    expect(found.slice(0, acknowledged.length), thread.threadId).toEqual(acknowledged);
  }
}

async function runFailing(store: Store, told: readonly Told[]): Promise<void> {
  expect(await script(store, told)).toBeGreaterThan(0);
  const counted = told.flatMap((one) => one.acknowledged).length;
  await expect(store.update(threadOf('late'), note(threadOf('late'), 'x'))).rejects.toMatchObject({
    code: 'store-failed',
  });
  expect(told.flatMap((one) => one.acknowledged)).toHaveLength(counted);
}

async function countCommits(storage: Storage): Promise<number> {
  let counting: FailingEngine | undefined;
  await using store = await storage.open({
    clock,
    wrap: (engine) => (counting = new FailingEngine(engine, Number.POSITIVE_INFINITY, 'before')),
  });
  expect(await script(store, toldOf('counting'))).toBe(0);
  return counting?.commits ?? 0;
}

/** Turns and appends over three threads, some of them waiting for others; how many were refused. */
async function script(store: Store, all: readonly Told[]): Promise<number> {
  const [first, second] = all as [Told, Told];
  let refused = 0;
  const watch = async (told: Told, texts: readonly string[], call: Promise<unknown>): Promise<void> => {
    try {
      await call;
      expect(refused, 'told after a refusal').toBe(0);
      told.acknowledged.push(...texts);
    } catch (error) {
      expect(error).toMatchObject({ code: 'store-failed' });
      refused += 1;
    }
  };
  const update = (told: Told, text: string): Promise<void> => {
    const decide = note(told.thread, text);
    const call = store.update(told.thread, (...args) => {
      told.decided.push(text);
      return decide(...args);
    });
    return watch(told, [text], call);
  };
  const calls: Promise<void>[] = [];
  for (let round = 0; round < 3; round++) {
    for (const told of all) calls.push(update(told, `u${round}`), update(told, `v${round}`));
    await calls[0];
    calls.push(update(first, `w${round}`));
    await Promise.all(calls);
  }
  const claim = await claimed(store, first.thread).catch(() => undefined);
  if (claim === undefined) return refused + 1;
  for (let ordinal = 1; ordinal <= 3; ordinal++) {
    const texts = [`${ordinal}a`, `${ordinal}b`];
    first.decided.push(...texts);
    calls.push(watch(first, texts, store.append(claim, ordinal, texts.map(notice))), update(second, `x${ordinal}`));
    if (ordinal === 1) await Promise.all(calls);
  }
  await Promise.all(calls);
  return refused;
}
