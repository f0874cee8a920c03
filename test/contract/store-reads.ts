import { expect, test } from 'vitest';
import { deferred } from '../../src/deferred.ts';
import type { Lane } from '../../src/lane/lane.ts';
import type { Engine } from '../../src/stores/engine.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { NewStorage } from '../support/open-stores.ts';
import {
  allEvents,
  change,
  claimed,
  event,
  inParallel,
  laneOf,
  memory,
  note,
  notice,
  noticesOf,
  runRecord,
  threadOf,
} from '../support/turns.ts';

const thread = threadOf('t');

export function storeReads(newStorage: NewStorage): void {
  test('what is not there is undefined or empty', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    expect(await store.findLane(thread)).toBeUndefined();
    expect(await store.findRecord(thread, 'run', 'r')).toBeUndefined();
    expect(await store.listRecords(thread, 'run', '', 10)).toEqual([]);
    expect(await store.readEvents(thread, 0, 10)).toEqual([]);
    expect(await store.listThreads('local', '', 10)).toEqual([]);
    expect(await store.locate('local', 'run', 'r')).toBeUndefined();
  });

  test('events are read in pages from any number', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    const claim = await claimed(store, thread);
    for (let n = 1; n <= 40; n++) await store.append(claim, n, [notice(`${n}a`), notice(`${n}b`), notice(`${n}c`)]);
    const check = async (of: typeof store): Promise<void> => {
      const all = await allEvents(of, thread);
      expect(all.map((one) => one.seq)).toEqual(Array.from({ length: 120 }, (_, at) => at + 1));
      for (const page of [1, 2, 7, 50, 119, 120]) expect(await allEvents(of, thread, page)).toEqual(all);
      for (const after of [0, 1, 59, 60, 119, 120, 500]) {
        expect(await of.readEvents(thread, after, 4)).toEqual(all.slice(after, after + 4));
      }
    };
    await check(store);
    await store.close();
    await using again = await storage.open({ clock });
    await check(again);
    await again.update(thread, note(thread, 'more'));
    expect((await again.readEvents(thread, 118, 10)).map((one) => one.seq)).toEqual([119, 120, 121]);
  });

  test('a log does not go beyond its lane while the end of a commit has not been told', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const first = await storage.open({ clock });
    await first.update(thread, note(thread, 'one'));
    await first.close();
    const [kept, told] = [deferred(), deferred()];
    const wrap = (engine: Engine): Engine =>
      withCommit(engine, async (changes) => {
        await engine.commit(changes);
        kept.resolve();
        await told.promise;
      });
    await using store = await storage.open({ clock, wrap });
    expect(await noticesOf(store, thread)).toEqual(['one']);
    expect(await store.findLane(thread)).toMatchObject({ head: 1 });
    const second = store.update(thread, note(thread, 'two'));
    await kept.promise;
    expect(await noticesOf(store, thread)).toEqual(['one']);
    expect(await store.findLane(thread)).toMatchObject({ head: 1 });
    told.resolve();
    expect(await second).toBe(2);
    expect(await noticesOf(store, thread)).toEqual(['one', 'two']);
  });

  test('every reader at every moment sees a prefix of the log', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const claim = await claimed(store, thread);
    let writing = true;
    const readers = inParallel(4, async () => {
      let seen = 0;
      while (writing) {
        const events = await store.readEvents(thread, 0, 10_000);
        expect(events.map((one) => one.seq)).toEqual(events.map((_, at) => at + 1));
        expect(events.length).toBeGreaterThanOrEqual(seen);
        seen = events.length;
        await new Promise(setImmediate);
      }
    });
    for (let n = 1; n <= 100; n++) await store.append(claim, n, [notice(`${n}`), notice(`${n}`)]);
    writing = false;
    await readers;
  });

  test('records are listed by id in pages, as they are now', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    const ids = ['', 'a', 'aa', 'b', 'é', 'ﬀ', '😀', 'z'];
    await store.update(thread, (lane) => ({
      lane: laneOf(thread, lane),
      writes: ids.map((id) => memory(id, id)),
      outcome: 0,
    }));
    await store.update(thread, (lane) => ({
      lane: laneOf(thread, lane),
      writes: [{ op: 'remove', kind: 'memory', id: 'b' }, memory('ab', 'ab'), runRecord(thread, 'c')],
      outcome: 0,
    }));
    const sorted = ['', 'a', 'aa', 'ab', 'z', 'é', 'ﬀ', '😀'];
    const check = async (of: typeof store): Promise<void> => {
      expect((await of.listRecords(thread, 'memory', '', 100)).map((one) => one.value)).toEqual(sorted);
      for (let at = 1; at < sorted.length; at++) {
        const page = await of.listRecords(thread, 'memory', sorted[at] ?? '', 2);
        expect(page.map((one) => one.value)).toEqual(sorted.slice(at + 1, at + 3));
      }
    };
    await check(store);
    await store.close();
    const again = await storage.open({ clock });
    await check(again);
    await again.update(thread, (lane) => ({
      lane: laneOf(thread, lane),
      writes: [
        { op: 'remove', kind: 'memory', id: 'a' },
        { op: 'remove', kind: 'memory', id: 'aa' },
        memory('ab', 'AB'),
      ],
      outcome: 0,
    }));
    expect((await again.listRecords(thread, 'memory', '', 3)).map((one) => one.value)).toEqual(['', 'AB', 'z']);
    await again.close();
  });

  test('what was written often is read as it was written last, before and after a reopening', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    let store = await storage.open({ clock });
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 10; n++) {
        const value = round * 10 + n;
        await store.update(thread, (lane) => ({
          lane: laneOf(thread, lane),
          writes: [memory('x', value)],
          outcome: 0,
        }));
        expect(await store.findRecord(thread, 'memory', 'x')).toEqual({ value });
      }
      await store.close();
      store = await storage.open({ clock });
      expect(await store.findRecord(thread, 'memory', 'x')).toEqual({ value: round * 10 + 9 });
    }
    await store.close();
  });

  test('threads of a scope are listed by name in pages', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    await inParallel(30, (n) =>
      store.update(threadOf(`t${n % 10}`, `s${n % 3}`), note(threadOf(`t${n % 10}`, `s${n % 3}`), 'x')),
    );
    const names = Array.from({ length: 10 }, (_, n) => `t${n}`);
    const check = async (of: typeof store): Promise<void> => {
      expect(await of.listThreads('s1', '', 100)).toEqual(names.map((name) => threadOf(name, 's1')));
      expect(await of.listThreads('s1', 't3', 2)).toEqual([threadOf('t4', 's1'), threadOf('t5', 's1')]);
      expect(await of.listThreads('s9', '', 100)).toEqual([]);
    };
    await check(store);
    await store.close();
    await using again = await storage.open({ clock });
    await check(again);
  });

  test('a run or ticket is located inside its scope only', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    const other = threadOf('t', 'other');
    const write = (key: typeof thread, ids: readonly string[]): Promise<unknown> =>
      store.update(key, (lane) => ({
        lane: laneOf(key, lane),
        writes: ids.map((id) => runRecord(key, id)),
        outcome: 0,
      }));
    await Promise.all([write(thread, ['mine', 'both', 'gone']), write(other, ['theirs', 'both'])]);
    await store.update(thread, (lane) => ({
      lane: laneOf(thread, lane),
      writes: [{ op: 'remove', kind: 'run', id: 'gone' }, memory('noted', 1)],
      outcome: 0,
    }));
    const check = async (of: typeof store): Promise<void> => {
      expect(await of.locate('local', 'run', 'mine')).toEqual(thread);
      expect(await of.locate('local', 'run', 'both')).toEqual(thread);
      expect(await of.locate('other', 'run', 'both')).toEqual(other);
      expect(await of.locate('local', 'run', 'theirs')).toBeUndefined();
      expect(await of.locate('local', 'ticket', 'mine')).toBeUndefined();
      expect(await of.locate('local', 'run', 'gone')).toBeUndefined();
    };
    await check(store);
    await store.close();
    await using again = await storage.open({ clock });
    await check(again);
  });

  test(
    'purging evicts what ended runs wrote, from the start of the log, and nothing behind an open one',
    { tags: 'old-events-are-purged' },
    async () => {
      await using storage = await newStorage();
      const clock = new ManualClock();
      const store = await storage.open({ clock });
      const runs = [
        { id: 'a', end: { endedAtMs: 100, lastSeq: 3 }, texts: ['a1', 'a2', 'a3'] },
        { id: 'b', end: { endedAtMs: 200, lastSeq: 5 }, texts: ['b1', 'b2'] },
        { id: 'c', end: undefined, texts: ['c1'] },
        { id: 'd', end: { endedAtMs: 300, lastSeq: 7 }, texts: ['d1'] },
      ];
      for (const { id, end, texts } of runs) {
        await store.update(thread, (lane, _, nowMs) => {
          const head = lane?.head ?? 0;
          const events = texts.map((text, at) =>
            event(thread, { seq: head + at + 1, atMs: 50, runId: id }, notice(text)),
          );
          const after = { ...laneOf(thread, lane), head: head + texts.length, lastMs: nowMs };
          return { lane: after, writes: [runRecord(thread, id, end), ...events], outcome: 0 };
        });
      }
      expect(await store.purge(100, 10)).toBe(0);
      expect(await store.purge(150, 10)).toBe(3);
      expect(await noticesOf(store, thread)).toEqual(['b1', 'b2', 'c1', 'd1']);
      expect(await store.purge(1000, 10)).toBe(2);
      expect(await store.purge(1000, 10)).toBe(0);
      const check = async (of: typeof store): Promise<void> => {
        expect(await of.readEvents(thread, 0, 1)).toMatchObject([{ seq: 6, text: 'c1' }]);
        expect(await of.findLane(thread)).toMatchObject({ head: 7 });
      };
      await check(store);
      await store.close();
      await using again = await storage.open({ clock });
      await check(again);
      expect(await again.update(thread, note(thread, 'next'))).toBe(8);
    },
  );

  test(
    'a purge leaves what a subscription has not delivered, and what its run did before',
    { tags: 'old-events-are-purged' },
    async () => {
      await using storage = await newStorage();
      const clock = new ManualClock();
      await using store = await storage.open({ clock });
      const subscribed = (runId: string, ...cursors: number[]): Partial<Lane> => ({
        subscriptions: cursors.map((cursor) => ({ id: `${runId}/me/${cursor}`, runId, cursor, attempts: 0 })),
      });
      await store.update(thread, (lane) => ({
        lane: { ...laneOf(thread, lane), head: 6, ...subscribed('later', 4, 2, 5) },
        writes: [
          runRecord(thread, 'r', { endedAtMs: 5, lastSeq: 6 }),
          ...[1, 2, 3, 4, 5, 6].map((seq) => event(thread, { seq, atMs: 1, runId: 'r' }, notice(String(seq)))),
        ],
        outcome: 0,
      }));
      expect(await store.purge(9, 4)).toBe(2);
      await store.update(thread, change(thread, subscribed('later', 4, 5)));
      expect(await store.purge(9, 4)).toBe(2);
      await store.update(thread, change(thread, subscribed('r', 5)));
      expect(await store.purge(9, 4)).toBe(0);
      expect(await noticesOf(store, thread)).toEqual(['5', '6']);
      await store.update(thread, change(thread, { subscriptions: undefined }));
      expect(await store.purge(9, 4)).toBe(2);
    },
  );

  test('a purge stops at its limit of threads and is gone on with', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    await inParallel(10, (n) => {
      const key = threadOf(String(n));
      return store.update(key, (lane) => ({
        lane: { ...laneOf(key, lane), head: 1 },
        writes: [
          runRecord(key, 'r', { endedAtMs: 5, lastSeq: 1 }),
          event(key, { seq: 1, atMs: 1, runId: 'r' }, notice('x')),
        ],
        outcome: 0,
      }));
    });
    const evicted = [
      await store.purge(9, 4),
      await store.purge(9, 4),
      await store.purge(9, 4),
      await store.purge(9, 4),
    ];
    expect(evicted).toEqual([4, 4, 2, 0]);
  });
}

/** The engine with commits of the test's own. */
function withCommit(engine: Engine, commit: Engine['commit']): Engine {
  return new Proxy(engine, {
    get: (_, name) => {
      if (name === 'commit') return commit;
      const member = engine[name as keyof Engine] as (...args: unknown[]) => unknown;
      return member.bind(engine);
    },
  });
}
