import { expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { Fault } from '../../../src/fault.ts';
import type { Store } from '../../../src/mailbox/store.ts';
import { MemoryEngine } from '../../../src/stores/memory-engine.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { TurnStore } from '../../../src/stores/turn-store.ts';
import { checkStore } from '../../support/checker.ts';
import { FailingEngine } from '../../support/failing-engine.ts';
import { alice, limits, open, say, scripted, submission } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

const person = { door: 'control', origin: 'user' } as const;

/** A store of which some calls are the test's. */
function patched(store: Store, patch: Partial<Store>): Store {
  return new Proxy(store, {
    get: (_, name) => {
      const own = patch[name as keyof Store];
      if (own !== undefined) return own;
      const member = store[name as keyof Store] as (...args: unknown[]) => unknown;
      return member.bind(store);
    },
  });
}

const talker = scripted(async function* (_, context) {
  yield* say(context, 'a', 'one');
  const [decision] = await context.ask('ok', { kind: 'approval', text: 'ok?' });
  yield* say(context, 'b', decision?.how ?? '');
});

for (const when of ['before', 'after'] as const) {
  test(`a store that fails at any commit, ${when} it is kept, stops everything, and the next process goes on`, async () => {
    for (let failAt = 1; failAt <= 8; failAt++) {
      const engine = new MemoryEngine();
      const failing = new FailingEngine(engine, failAt, when);
      const store = new TurnStore(failing, { clock: systemClock });
      let aborted = 0;
      const stubborn = scripted(async function* (activation, context) {
        context.signal.addEventListener('abort', () => (aborted += 1));
        yield* talker.run(activation, context);
        await new Promise(() => undefined);
      });
      const { mailbox, logged } = await open(stubborn, { store });
      const outcome = await mailbox.submit(alice, submission('one')).then(
        () => 'accepted',
        (error: unknown) => Fault.from(error).code,
      );
      expect(outcome).toBe(failAt === 1 ? 'store-failed' : 'accepted');
      const decide = async (): Promise<unknown> => {
        const lane = await store.findLane({ scope: 'local', threadId: 't' });
        const ticketId = lane?.open?.tickets[0]?.id;
        if (ticketId !== undefined)
          await mailbox.decide(alice, person, 't', { ticketId, answer: { type: 'approve' } }).catch(() => undefined);
        return store.health().is === 'read-only';
      };
      if (failAt > 1) await until('the failing commit', async () => (await decide()) || failing.commits < failAt - 4);
      await mailbox.cancel(alice, person, 't', 'thread').catch(() => undefined);
      await until('the abort', () => failing.commits < failAt || failAt === 1 || aborted === 1);
      expect(logged.length).toBeLessThan(10);
      await mailbox.stop();
      const next = await open(talker, { store: new TurnStore(engine, { clock: systemClock }) });
      await next.submit('one', {});
      await until('the end', async () => {
        const lane = await next.store.findLane({ scope: 'local', threadId: 't' });
        const ticketId = lane?.open?.tickets[0]?.id;
        if (ticketId !== undefined)
          await next.mailbox.decide(alice, person, 't', { ticketId, answer: { type: 'approve' } });
        return lane !== undefined && lane.open === undefined && lane.queue.length === 0;
      });
      expect(await checkStore(next.store, ['local'])).toEqual([]);
      await next.mailbox.stop();
    }
  });
}

test('a run whose end the disk had no room for goes on when it has', async () => {
  const base = new MemoryStore({ clock: systemClock });
  let isLow = false;
  const low = (): Promise<never> => Promise.reject(new Fault('disk-low', 'the disk is full'));
  const store = patched(base, {
    update: (...args: Parameters<Store['update']>) => (isLow ? low() : base.update(...args)) as never,
    append: (...args) => (isLow ? low() : base.append(...args)),
    health: () => (isLow ? { is: 'read-only', why: 'the disk is full' } : { is: 'open' }),
  });
  const agent = scripted(async function* (_, context) {
    isLow = context.attempt === 1;
    yield* say(context, 'a', 'text');
    await Promise.resolve();
  });
  const { submit, seen, logged } = await open(agent, { store, limits: { wakeFallbackMs: 20 } });
  await submit('one');
  await until('the trouble', () => logged.some(({ message }) => message.includes('could not be settled')));
  isLow = false;
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'completed' }, attempt: 2 });
});

test('a sweep that fails is followed by another, and a thread that cannot be read does not keep it busy', async () => {
  const clock = new ManualClock();
  const base = new MemoryStore({ clock });
  let looks = 0;
  const store = patched(base, {
    nextDueMs: () => {
      looks += 1;
      if (looks === 1) return Promise.reject(new Error('the index cannot be read'));
      return Promise.resolve(clock.now() - 10);
    },
    due: () => Promise.resolve([{ scope: 'local', threadId: 'broken' }]),
  });
  const { logged } = await open(talker, { store, clock });
  expect(logged.some(({ message }) => message.includes('the sweep failed'))).toBe(true);
  await clock.advance(limits.wakeFallbackMs * 3 + 1);
  expect(looks).toBe(4);
});

test('as many broken threads as fit on a page do not keep due ones from their time', async () => {
  const clock = new ManualClock();
  const base = new MemoryStore({ clock });
  const broken = Array.from({ length: 100 }, (_, index) => ({ scope: 'local', threadId: `broken ${index}` }));
  const ticked: string[] = [];
  const store = patched(base, {
    due: (_, limit) => Promise.resolve([...broken, { scope: 'local', threadId: 'fine' }].slice(0, limit)),
    update: (thread, decide) => {
      ticked.push(thread.threadId);
      return base.update(thread, decide);
    },
  });
  await open(talker, { store, clock });
  expect(ticked.filter((threadId) => threadId === 'fine')).toHaveLength(1);
});

test('a ready thread that cannot be read holds up no other', async () => {
  const base = new MemoryStore({ clock: systemClock });
  const first = await open(talker, { store: base });
  await first.mailbox.stop();
  const seeded = await open(
    scripted(async function* () {
      await new Promise(() => undefined);
      yield* [];
    }),
    { store: base, limits: { maxRunning: 1, shutdownGraceMs: 0 } },
  );
  for (const actor of ['ann', 'bob', 'cid']) {
    await seeded.mailbox.submit({ scope: 'local', actor }, submission(actor, { threadId: actor }));
  }
  await seeded.mailbox.stop();
  const store = patched(base, {
    update: (thread, decide) =>
      thread.threadId === 'bob'
        ? Promise.reject(new Fault('record-unreadable', 'the lane cannot be read'))
        : base.update(thread, decide),
  });
  const quick = scripted(async function* (_, context) {
    yield* say(context, 'a', 'done');
    await Promise.resolve();
  });
  const { seen } = await open(quick, { store, limits: { wakeFallbackMs: 3_600_000 } });
  for (const threadId of ['ann', 'cid']) expect(await seen('run.finished', 1, threadId)).toMatchObject({ threadId });
});
