import { expect, test } from 'vitest';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import type { Step } from '../../src/lane/records.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { NewStorage } from '../support/open-stores.ts';
import {
  allEvents,
  change,
  count,
  event,
  inParallel,
  laneOf,
  memory,
  note,
  notice,
  noticesOf,
  threadOf,
} from '../support/turns.ts';

const thread = threadOf('t');

export function storeTurns(newStorage: NewStorage): void {
  test('a turn of a new thread sees no lane, and what it writes is there when it resolves', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock(1000) });
    const seen = await store.update(thread, (lane, found, nowMs) => ({
      ...note(thread, 'first')(lane, found, nowMs),
      outcome: [lane, nowMs],
    }));
    expect(seen).toEqual([undefined, 1000]);
    expect(await store.findLane(thread)).toMatchObject({ head: 1, lastMs: 1000 });
    expect(await store.findRecord(thread, 'memory', 'first')).toEqual({ value: 'first' });
    expect(await store.readEvents(thread, 0, 10)).toEqual([
      { seq: 1, atMs: 1000, threadId: 't', type: 'notice', level: 'info', text: 'first' },
    ]);
  });

  test('56 concurrent turns of one thread lose nothing', { tags: 'requests-at-once-lose-nothing' }, async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const counts = await inParallel(56, () => store.update(thread, count(thread)));
    expect(counts).toEqual(Array.from({ length: 56 }, (_, n) => n + 1));
    expect(await store.findRecord(thread, 'memory', 'count')).toEqual({ value: 56 });
  });

  test('turns are decided in the order of their calls, also those that wait for a commit', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const notes: Promise<number>[] = [];
    for (let n = 0; n < 30; n++) {
      notes.push(store.update(thread, note(thread, String(n))));
      if (n % 7 === 0) await notes[n];
    }
    expect(await Promise.all(notes)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
    expect(await noticesOf(store, thread)).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
  });

  test('a turn sees what earlier ones of its batch put, removed and left alone', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    await Promise.all([store.update(thread, note(thread, 'kept')), store.update(thread, note(thread, 'gone'))]);
    const [, , seen] = await Promise.all([
      store.update(thread, note(thread, 'new')),
      store.update(thread, (lane) => ({
        lane: laneOf(thread, lane),
        writes: [{ op: 'remove', kind: 'memory', id: 'gone' }, memory('kept', 'changed')],
        outcome: undefined,
      })),
      store.update(thread, (lane, found) => ({
        lane: laneOf(thread, lane),
        writes: [],
        outcome: ['new', 'gone', 'kept', 'never'].map((id) => found.find('memory', id)?.value),
      })),
    ]);
    expect(seen).toEqual(['new', undefined, 'changed', undefined]);
    expect(await store.findRecord(thread, 'memory', 'gone')).toBeUndefined();
  });

  test(
    'a turn that throws is refused alone and writes nothing',
    { tags: 'refused-request-writes-nothing' },
    async () => {
      await using storage = await newStorage();
      await using store = await storage.open({ clock: new ManualClock() });
      const fault = new Fault('run-conflict', 'busy');
      const results = await Promise.allSettled([
        store.update(thread, note(thread, 'a')),
        store.update(thread, () => {
          throw fault;
        }),
        store.update(thread, note(thread, 'b')),
      ]);
      expect(results.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(results[1]).toHaveProperty('reason', fault);
      expect(await noticesOf(store, thread)).toEqual(['a', 'b']);
    },
  );

  test.each<[string, (step: Step<number>) => Step<number>]>([
    ['skips a number', (step) => ({ ...step, writes: [event(thread, { seq: 4, atMs: 0 }, notice('x'))] })],
    ['repeats a number', (step) => ({ ...step, writes: [...step.writes, ...step.writes] })],
    ['leaves its head behind', (step) => ({ ...step, lane: { ...step.lane, head: 1 } })],
    ['returns another thread’s lane', (step) => ({ ...step, lane: { ...step.lane, threadId: 'other' } })],
    ['writes what is no JSON', (step) => ({ ...step, writes: [{ ...memory('x', 1), value: { value: 1n } } as never] })],
    ['drops and writes', (step) => ({ ...step, writes: [...step.writes, { op: 'drop' }] })],
  ])('a turn that %s is refused alone and writes nothing', async (_, spoil) => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    await store.update(thread, note(thread, 'before'));
    const results = await Promise.allSettled([
      store.update(thread, note(thread, 'a')),
      store.update(thread, (lane, found, nowMs) => spoil(note(thread, 'spoilt')(lane, found, nowMs))),
      store.update(thread, note(thread, 'b')),
    ]);
    expect(results.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await noticesOf(store, thread)).toEqual(['before', 'a', 'b']);
  });

  test('a turn that changes nothing resolves without a commit and without a wake', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    await store.update(thread, note(thread, 'a'));
    const woken: unknown[] = [];
    store.watch((one) => woken.push(one));
    const outcome = await store.update(thread, (lane) => ({ lane: laneOf(thread, lane), writes: [], outcome: 'same' }));
    expect(outcome).toBe('same');
    expect(woken).toEqual([]);
  });

  test(
    'nobody is told anything of a batch, not even a refusal, before it is committed',
    { tags: 'kill-loses-nothing-told' },
    async () => {
      await using storage = await newStorage();
      const commit = deferred();
      await using store = await storage.open({
        clock: new ManualClock(),
        wrap: (engine) => {
          const inner = engine.commit.bind(engine);
          engine.commit = async (changes) => {
            await commit.promise;
            await inner(changes);
          };
          return engine;
        },
      });
      const told: string[] = [];
      const all = [
        store.update(thread, note(thread, 'a')).then(() => told.push('a')),
        store
          .update(thread, () => {
            throw new Fault('run-conflict', 'busy');
          })
          .catch(() => told.push('refused')),
        store
          .update(thread, (lane) => ({ lane: laneOf(thread, lane), writes: [], outcome: 1 }))
          .then(() => told.push('same')),
      ];
      const other = threadOf('other');
      await store
        .update(other, () => {
          throw new Fault('not-found', 'none');
        })
        .catch(() => told.push('other'));
      expect(told).toEqual(['other']);
      expect(await store.findLane(thread)).toBeUndefined();
      commit.resolve();
      await Promise.all(all);
      expect(told).toEqual(['other', 'a', 'refused', 'same']);
    },
  );

  test('listeners are called once per thread and commit until they leave', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const woken: string[] = [];
    const leave = store.watch((one) => woken.push(one.threadId));
    await inParallel(3, (n) => store.update(threadOf('a'), note(threadOf('a'), String(n))));
    await store.update(threadOf('b'), note(threadOf('b'), 'x'));
    expect(woken).toEqual(['a', 'b']);
    leave();
    await store.update(thread, note(thread, 'unseen'));
    expect(woken).toEqual(['a', 'b']);
  });

  test('a listener finds what woke it', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const found: Promise<string[]>[] = [];
    store.watch((one) => found.push(noticesOf(store, one)));
    await store.update(thread, note(thread, 'a'));
    expect(await found[0]).toEqual(['a']);
  });

  test('time is never below the lane’s last, nor its last event’s', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock(5000);
    await using store = await storage.open({ clock });
    await store.update(thread, note(thread, 'a'));
    await clock.advance(-4000);
    const seen = await store.update(thread, (lane, _, nowMs) => ({
      lane: laneOf(thread, lane),
      writes: [],
      outcome: nowMs,
    }));
    expect(seen).toBe(5000);
  });

  test('a thread that is dropped is gone, and one of the same name starts anew', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    await store.update(thread, note(thread, 'old'));
    const drop = store.update(thread, (lane) => ({
      lane: laneOf(thread, lane),
      writes: [{ op: 'drop' }],
      outcome: 'dropped',
    }));
    const anew = store.update(thread, (lane, found, nowMs) => ({
      ...note(thread, 'new')(lane, found, nowMs),
      outcome: [lane, found.find('memory', 'old')],
    }));
    const then = store.update(thread, (lane, found) => ({
      lane: laneOf(thread, lane),
      writes: [],
      outcome: [lane?.head, found.find('memory', 'old'), found.find('memory', 'new')],
    }));
    expect(await Promise.all([drop, anew, then])).toEqual([
      'dropped',
      [undefined, undefined],
      [1, undefined, { value: 'new' }],
    ]);
    const holds = async (of: typeof store): Promise<void> => {
      expect(await noticesOf(of, thread)).toEqual(['new']);
      expect(await of.findRecord(thread, 'memory', 'old')).toBeUndefined();
      expect(await of.listThreads('local', '', 10)).toEqual([thread]);
    };
    await holds(store);
    await store.close();
    await using again = await storage.open({ clock });
    await holds(again);
    await again.update(thread, (lane) => ({
      lane: laneOf(thread, lane),
      writes: [{ op: 'drop' }],
      outcome: undefined,
    }));
    expect(await again.findLane(thread)).toBeUndefined();
    expect(await allEvents(again, thread)).toEqual([]);
    expect(await again.listThreads('local', '', 10)).toEqual([]);
  });

  test('threads are told apart by scope and name, whatever is in them', { tags: 'any-name-is-safe' }, async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    const names = [
      'a',
      'A',
      'a/b',
      '../..',
      'a\u0000b',
      'a\u0000c',
      '\u0000',
      '\t',
      'a\nb',
      '\u0001',
      'ü',
      'u\u0308',
      '😀',
      '\ud800',
      '\udfff',
      '\ufffd',
      '__proto__',
      '%00',
      "'; drop table thread; --",
      'x'.repeat(512),
    ];
    const keys = names.flatMap((name) => [
      threadOf(name, 'scope'),
      threadOf('scope', name),
      threadOf(name, `${name}1`),
    ]);
    await Promise.all(keys.map((key) => store.update(key, note(key, JSON.stringify(key)))));
    await store.close();
    await using again = await storage.open({ clock });
    for (const key of keys) {
      expect(await noticesOf(again, key)).toEqual([JSON.stringify(key)]);
      expect(await again.findRecord(key, 'memory', JSON.stringify(key))).toBeDefined();
    }
    expect(new Set((await again.listThreads('scope', '', 100)).map((key) => key.threadId))).toEqual(new Set(names));
  });

  test('a closed store has finished what it had accepted and accepts no more', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    const notes = inParallel(20, (n) =>
      store.update(threadOf(String(n % 3)), note(threadOf(String(n % 3)), String(n))),
    );
    await Promise.all([store.close(), store.close()]);
    expect(await notes).toHaveLength(20);
    await expect(store.update(thread, note(thread, 'late'))).rejects.toMatchObject({ code: 'store-failed' });
    await expect(store.findLane(thread)).rejects.toMatchObject({ code: 'store-failed' });
    await using again = await storage.open({ clock });
    expect(await noticesOf(again, threadOf('0'))).toHaveLength(7);
  });

  test('a thread that was let go of in memory goes on where it was', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock(), cache: { maxThreads: 2, maxBytes: 1_000_000 } });
    for (let round = 1; round <= 3; round++) {
      const seqs = await inParallel(20, (n) =>
        store.update(threadOf(String(n)), note(threadOf(String(n)), `r${round}`)),
      );
      expect(seqs).toEqual(Array.from({ length: 20 }, () => round));
    }
    await store.update(thread, change(thread, { messages: 3 }));
    await inParallel(5, (n) => store.update(threadOf(String(n)), note(threadOf(String(n)), 'last')));
    expect(await store.findLane(thread)).toMatchObject({ messages: 3 });
  });
}
