import { expect, test } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import type { NewStorage } from '../support/open-stores.ts';
import {
  allEvents,
  change,
  claimed,
  inParallel,
  note,
  notice,
  noticesOf,
  openRun,
  running,
  threadOf,
} from '../support/turns.ts';

const thread = threadOf('t');

export function storeAppends(newStorage: NewStorage): void {
  test(
    'an append is stamped with its claim and numbered from the thread’s head',
    { tags: 'attempts-are-numbered' },
    async () => {
      await using storage = await newStorage();
      await using store = await storage.open({ clock: new ManualClock(7000) });
      await store.update(thread, note(thread, 'before'));
      const claim = await claimed(store, thread);
      expect(await store.append(claim, 1, [notice('a'), notice('b')])).toEqual({ first: 2, last: 3 });
      expect(await store.readEvents(thread, 1, 10)).toEqual([
        {
          seq: 2,
          atMs: 7000,
          threadId: 't',
          runId: 'run',
          attempt: 1,
          token: 'token',
          type: 'notice',
          level: 'info',
          text: 'a',
        },
        {
          seq: 3,
          atMs: 7000,
          threadId: 't',
          runId: 'run',
          attempt: 1,
          token: 'token',
          type: 'notice',
          level: 'info',
          text: 'b',
        },
      ]);
      expect(await store.findLane(thread)).toMatchObject({ head: 3 });
    },
  );

  test('turns and appends share one numbering', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    const claim = await claimed(store, thread);
    const calls = inParallel<unknown>(40, (n) =>
      n % 2 === 0
        ? store.append(claim, n / 2 + 1, [notice(`${n}`), notice(`${n}+`)])
        : store.update(thread, note(thread, `${n}`)),
    );
    await calls;
    const expected = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? [`${n}`, `${n}+`] : [`${n}`])).flat();
    const check = async (of: typeof store): Promise<void> => {
      expect(await noticesOf(of, thread)).toEqual(expected);
      expect((await allEvents(of, thread)).map((one) => one.seq)).toEqual(expected.map((_, at) => at + 1));
      expect(await of.findLane(thread)).toMatchObject({ head: expected.length });
    };
    await check(store);
    await store.close();
    await using again = await storage.open({ clock });
    await check(again);
  });

  test('the head is the last append’s after a reopening, though the lane was not written', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock(9000);
    const store = await storage.open({ clock });
    const claim = await claimed(store, thread);
    await clock.advance(500);
    await store.append(claim, 1, [notice('a'), notice('b')]);
    await store.close();
    await using again = await storage.open({ clock: new ManualClock(0) });
    expect(await again.findLane(thread)).toMatchObject({ head: 2, lastMs: 9000 });
    expect(await again.update(thread, note(thread, 'c'))).toBe(3);
    expect((await again.readEvents(thread, 2, 1))[0]).toMatchObject({ atMs: 9500 });
  });

  test('a repeated append changes nothing and resolves as it did', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const claim = await claimed(store, thread);
    const first = await store.append(claim, 1, [notice('a')]);
    expect(await store.append(claim, 1, [notice('a')])).toEqual(first);
    const both = await Promise.all([store.append(claim, 2, [notice('b')]), store.append(claim, 2, [notice('b')])]);
    expect(both).toEqual([
      { first: 2, last: 2 },
      { first: 2, last: 2 },
    ]);
    expect(await noticesOf(store, thread)).toEqual(['a', 'b']);
  });

  test.each([2, 0])('append %i where 1 comes next is a fault of its caller', async (ordinal) => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const claim = { ...(await claimed(store, thread)) };
    if (ordinal === 0) {
      await store.append(claim, 1, [notice('a')]);
      await store.append(claim, 2, [notice('b')]);
      await expect(store.append(claim, 1, [notice('a')])).rejects.toMatchObject({ code: 'internal' });
    } else {
      await expect(store.append(claim, 2, [notice('b')])).rejects.toMatchObject({ code: 'internal' });
    }
  });

  test('an append of nothing counts and writes nothing', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const claim = await claimed(store, thread);
    expect(await store.append(claim, 1, [])).toEqual({ first: 1, last: 0 });
    expect(await store.append(claim, 2, [notice('a')])).toEqual({ first: 1, last: 1 });
  });

  test.each([
    ['another claim', { open: openRun('run', running('later')) }, 'taken over'],
    ['nobody', { open: openRun('run', { is: 'parked' }) }, 'no longer claimed'],
    ['another run', { open: openRun('next', running('token')) }, 'no longer the open one'],
    ['no run', { open: undefined }, 'no longer the open one'],
  ])(
    'an append is refused once %s holds the run, and says why',
    { tags: 'claim-alone-may-write' },
    async (_, to, why) => {
      await using storage = await newStorage();
      await using store = await storage.open({ clock: new ManualClock() });
      const claim = await claimed(store, thread);
      const [, refused, later] = await Promise.allSettled([
        store.append(claim, 1, [notice('a')]),
        store.update(thread, change(thread, to)).then(() => store.append(claim, 2, [notice('late')])),
        store.update(threadOf('u'), note(threadOf('u'), 'x')),
      ]);
      expect(refused).toMatchObject({
        reason: { code: 'claim-lost', message: expect.stringContaining(why) as string },
      });
      expect(later.status).toBe('fulfilled');
      expect(await noticesOf(store, thread)).toEqual(['a']);
    },
  );

  test('a claim that was told to stop may still append', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const claim = await claimed(store, thread);
    const outcome = { type: 'cancelled', by: 'agent', reason: 'cancelled' } as const;
    const phase = { is: 'stopping', claim: { token: 'token', owner: 'o' }, outcome, graceEndsAtMs: 1 } as const;
    await store.update(thread, change(thread, { open: openRun('run', phase) }));
    expect(await store.append(claim, 1, [notice('bye')])).toEqual({ first: 1, last: 1 });
  });

  test('an append to a thread that is not there is refused', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock() });
    const claim = { thread, runId: 'run', attempt: 1, token: 'token' };
    await expect(store.append(claim, 1, [notice('a')])).rejects.toMatchObject({ code: 'claim-lost' });
    expect(await store.listThreads('local', '', 10)).toEqual([]);
  });

  test('a claimed thread keeps its count of appends, however many others are used', async () => {
    await using storage = await newStorage();
    await using store = await storage.open({ clock: new ManualClock(), cache: { maxThreads: 2, maxBytes: 1 } });
    const claim = await claimed(store, thread);
    for (let ordinal = 1; ordinal <= 3; ordinal++) {
      await store.append(claim, ordinal, [notice(String(ordinal))]);
      await inParallel(5, (n) => store.update(threadOf(String(n)), note(threadOf(String(n)), 'x')));
    }
    expect(await noticesOf(store, thread)).toEqual(['1', '2', '3']);
  });

  test('one append of very many events is read in pages as any other', async () => {
    await using storage = await newStorage();
    const clock = new ManualClock();
    const store = await storage.open({ clock });
    const claim = await claimed(store, thread);
    const texts = Array.from({ length: 1234 }, (_, n) => `n${n}`);
    expect(await store.append(claim, 1, texts.map(notice))).toEqual({ first: 1, last: 1234 });
    await store.close();
    await using again = await storage.open({ clock });
    expect(await noticesOf(again, thread)).toEqual(texts);
    expect((await again.readEvents(thread, 600, 3)).map((one) => one.seq)).toEqual([601, 602, 603]);
  });
}
