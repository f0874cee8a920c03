import { expect, test } from 'vitest';
import type { ThreadKey } from '../../schemas/id.ts';
import type { Lane } from '../../src/lane/lane.ts';
import type { ReadyCursor, Store } from '../../src/mailbox/store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { NewStorage } from '../support/open-stores.ts';
import { change, inParallel, openRun, queuedRun, running, threadOf } from '../support/turns.ts';

const nowMs = 1000;

export function storeSearches(newStorage: NewStorage): void {
  test(
    'due threads come earliest first, and only when their time has come',
    { tags: 'work-waits-for-its-time' },
    async () => {
      await using storage = await newStorage();
      const clock = new ManualClock(nowMs);
      const store = await storage.open({ clock });
      expect(await store.nextDueMs()).toBeUndefined();
      const atMs = [5000, 3000, 9000, 7000];
      await Promise.all(atMs.map((at) => set(store, `t${at}`, { queue: [queuedRun('r', 'me', at)] })));
      const check = async (of: Store): Promise<void> => {
        expect(await of.nextDueMs()).toBe(3000);
        expect(namesOf(await of.due(2999, 10))).toEqual([]);
        expect(namesOf(await of.due(7000, 10))).toEqual(['t3000', 't5000', 't7000']);
        expect(namesOf(await of.due(99_999, 2))).toEqual(['t3000', 't5000']);
        expect(await of.ready(undefined, 10)).toEqual([]);
      };
      await check(store);
      await store.close();
      await using again = await storage.open({ clock });
      await check(again);
      await clock.advance(3000);
      await set(again, 't3000', {});
      expect(await again.nextDueMs()).toBe(5000);
      expect((await again.ready(undefined, 10)).map((one) => one.thread.threadId)).toEqual(['t3000']);
      await set(again, 't5000', { queue: [] });
      expect(await again.nextDueMs()).toBe(7000);
    },
  );

  test(
    'ready threads are served in turns over scopes and, inside each, over actors, oldest first',
    { tags: 'ready-work-is-found' },
    async () => {
      await using storage = await newStorage();
      const clock = new ManualClock(nowMs);
      const store = await storage.open({ clock });
      const waiting = [
        ['s1', 'ann', 1],
        ['s1', 'ann', 2],
        ['s1', 'ann', 3],
        ['s1', 'bob', 9],
        ['s2', 'cat', 8],
        ['s2', 'cat', 7],
        ['s3', 'dan', 5],
      ] as const;
      for (const [scope, actor, at] of waiting) {
        await set(store, `${actor}${at}`, { queue: [queuedRun('r', actor, at)] }, scope);
      }
      const order = ['ann1', 'cat7', 'dan5', 'bob9', 'cat8', 'ann2', 'ann3'];
      const check = async (of: Store): Promise<void> => {
        const all = await of.ready(undefined, 100);
        expect(all.map((one) => one.thread.threadId)).toEqual(order);
        expect((await of.ready(undefined, 3)).map((one) => one.thread.threadId)).toEqual(order.slice(0, 3));
      };
      await check(store);
      await store.close();
      const again = await storage.open({ clock });
      await check(again);
      expect(await drain(again)).toEqual(order);
      await again.close();
    },
  );

  test(
    'each of many scopes is served within one round, however much one of them has waiting',
    { tags: 'ready-work-is-found' },
    async () => {
      await using storage = await newStorage();
      await using store = await storage.open({ clock: new ManualClock(nowMs) });
      await inParallel(50, (n) => set(store, `busy${n}`, { queue: [queuedRun('r', 'me', n)] }, 'busy'));
      await inParallel(9, (n) => set(store, 'one', { queue: [queuedRun('r', 'me', 999)] }, `s${n}`));
      const served = (await store.ready({ scope: 's3', actors: {} }, 10)).map((one) => one.thread.scope);
      expect(new Set(served).size).toBe(10);
    },
  );

  test('a scope may be called anything', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock(nowMs) });
    for (const scope of ['__proto__', 'constructor', '1', '\u0000', '😀']) {
      await set(store, 'a', { queue: [queuedRun('r', '__proto__', 1)] }, scope);
      await set(store, 'b', { queue: [queuedRun('r', 'toString', 1)] }, scope);
    }
    expect(await drain(store)).toHaveLength(10);
  });

  test('an open run that is ready is found by its own actor, and the queue behind it is not', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock(nowMs) });
    const queue = [queuedRun('later', 'me', 1)];
    await set(store, 'held', { queue, open: openRun('r', running('token')) });
    await set(store, 'parked', { queue, open: openRun('r', { is: 'parked' }) });
    await set(store, 'ready', { queue, open: openRun('r', { is: 'ready', availableAtMs: 3 }) });
    expect((await store.ready(undefined, 10)).map((one) => one.thread.threadId)).toEqual(['ready']);
  });

  test('held threads are those with a claim, being ended or subscribed to, in the order of their keys', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock(nowMs);
    const store = await storage.open({ clock });
    const outcome = { type: 'cancelled', by: 'agent', reason: 'cancelled' } as const;
    const claim = { token: 'token', owner: 'o' };
    await set(store, 'b', { open: openRun('r', running('token')) });
    await set(store, 'a', { open: openRun('r', { is: 'waiting', claim, parkAtMs: 5 }) });
    await set(store, 'c', { open: openRun('r', { is: 'stopping', claim, outcome, graceEndsAtMs: 5 }) });
    await set(store, 'd', { open: openRun('r', { is: 'ending', outcome }) }, 'else');
    await set(store, 'e', { open: openRun('r', { is: 'parked' }) });
    await set(store, 'd', { subscriptions: [{ id: 'r/me/hook', runId: 'r', cursor: 0, attempts: 0 }] });
    await set(store, 'f', { open: openRun('r', { is: 'ready', availableAtMs: 1 }) });
    const check = async (of: Store, expected: readonly ThreadKey[]): Promise<void> => {
      expect(await of.held(undefined, 10)).toEqual(expected);
      expect(await of.held(expected[0], 2)).toEqual(expected.slice(1, 3));
      expect(await of.held(expected.at(-1), 2)).toEqual([]);
    };
    const held = [threadOf('d', 'else'), threadOf('a'), threadOf('b'), threadOf('c'), threadOf('d')];
    await check(store, held);
    await store.close();
    await using again = await storage.open({ clock });
    await check(again, held);
    await set(again, 'a', { open: undefined });
    await set(again, 'e', { open: openRun('r', running('t')) });
    await check(again, [threadOf('d', 'else'), threadOf('b'), threadOf('c'), threadOf('d'), threadOf('e')]);
    await set(again, 'd', { subscriptions: undefined });
    await check(again, [threadOf('d', 'else'), threadOf('b'), threadOf('c'), threadOf('e')]);
  });

  test('a dropped thread is found by no search', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock(nowMs) });
    await set(store, 'a', { queue: [queuedRun('r', 'me', 1)] });
    await set(store, 'b', { open: openRun('r', { is: 'waiting', claim: { token: 't', owner: 'o' }, parkAtMs: 5 }) });
    for (const name of ['a', 'b']) {
      const thread = threadOf(name);
      await store.update(thread, (lane) => ({ lane: lane as Lane, writes: [{ op: 'drop' }], outcome: undefined }));
    }
    expect(await store.ready(undefined, 10)).toEqual([]);
    expect(await store.due(99_999, 10)).toEqual([]);
    expect(await store.held(undefined, 10)).toEqual([]);
  });
}

function set(store: Store, name: string, to: Partial<Lane>, scope = 'local'): Promise<void> {
  const thread = threadOf(name, scope);
  return store.update(thread, change(thread, to));
}

function namesOf(threads: readonly ThreadKey[]): string[] {
  return threads.map((thread) => thread.threadId);
}

/** Takes one ready thread after the other, as slots become free. */
async function drain(store: Store): Promise<string[]> {
  const names: string[] = [];
  let cursor: ReadyCursor | undefined;
  for (;;) {
    const [next] = await store.ready(cursor, 1);
    if (next === undefined) return names;
    cursor = next.cursor;
    names.push(next.thread.threadId);
    await store.update(next.thread, change(next.thread, { queue: [] }));
  }
}
