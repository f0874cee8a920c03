import { expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { Fault } from '../../../src/fault.ts';
import type { Store } from '../../../src/mailbox/store.ts';
import { MemoryEngine } from '../../../src/stores/memory-engine.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { TurnStore } from '../../../src/stores/turn-store.ts';
import { checkStore } from '../../support/checker.ts';
import { mortal } from '../../support/crashing-store.ts';
import { FailingEngine } from '../../support/failing-engine.ts';
import { alice, caller, limits, open, say, scripted, submission } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

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
          await mailbox.tickets.decide(caller, ticketId, { answer: { type: 'approve' } }).catch(() => undefined);
        return store.health().is === 'read-only';
      };
      if (failAt > 1) await until('the failing commit', async () => (await decide()) || failing.commits < failAt - 4);
      await mailbox.threads.cancel(caller, 't').catch(() => undefined);
      await until('the abort', () => failing.commits < failAt || failAt === 1 || aborted === 1);
      expect(logged.length).toBeLessThan(10);
      await mailbox.stop();
      const next = await open(talker, { store: new TurnStore(engine, { clock: systemClock }) });
      await next.submit('one', {});
      await until('the end', async () => {
        const lane = await next.store.findLane({ scope: 'local', threadId: 't' });
        const ticketId = lane?.open?.tickets[0]?.id;
        if (ticketId !== undefined)
          await next.mailbox.tickets.decide(caller, ticketId, { answer: { type: 'approve' } });
        return lane !== undefined && lane.open === undefined && lane.queue.length === 0;
      });
      expect(await checkStore(next.store, ['local'])).toEqual([]);
      await next.mailbox.stop();
    }
  });
}

for (const when of ['before', 'after'] as const) {
  test(
    `an agent is called for starts that are durable alone, whichever commit fails, ${when} it is kept`,
    { tags: 'nothing-starts-unrecorded' },
    async () => {
      const thread = { scope: 'local', threadId: 't' };
      for (let failAt = 1; failAt <= 8; failAt++) {
        const engine = new MemoryEngine();
        const calls: string[] = [];
        const counting = scripted(async function* (activation, context) {
          calls.push(`${activation.runId} ${context.attempt}`);
          yield* say(context, 'a', 'done');
          await Promise.resolve();
        });
        const store = new TurnStore(new FailingEngine(engine, failAt, when), { clock: systemClock });
        const { mailbox } = await open(counting, { store });
        const submitted = ['one', 'two', 'three'].map((key) => mailbox.submit(alice, submission(key)));
        await Promise.allSettled(submitted);
        const isIdle = async (): Promise<boolean> => (await store.findLane(thread))?.open === undefined;
        await until('the failing commit, or the end', async () => store.health().is === 'read-only' || isIdle());
        await mailbox.stop();
        const events = await new TurnStore(engine, { clock: systemClock }).readEvents(thread, 0, 1000);
        const started = events.flatMap((event) =>
          event.type === 'run.started' ? [`${event.runId} ${event.attempt}`] : [],
        );
        expect(started).toEqual(expect.arrayContaining(calls));
        if (failAt === 1) expect(calls).toEqual([]);
      }
    },
  );
}

test(
  'a start resolves when all that was left is taken over, and fails when that cannot be read',
  { tags: 'not-ready-before-recovery' },
  async () => {
    const base = new MemoryStore({ clock: systemClock });
    const hanging = scripted(async function* () {
      await new Promise(() => undefined);
      yield* [];
    });
    const dying = mortal(base);
    const dead = await open(hanging, { store: dying.store });
    for (const threadId of ['a', 'b', 'c']) await dead.submit('one', { threadId });
    await until('its claims', async () => (await base.held(undefined, 10)).length === 3);
    dying.kill();
    const unreadable = patched(base, { held: () => Promise.reject(new Fault('store-failed', 'the disk is gone')) });
    await expect(open(hanging, { store: unreadable })).rejects.toMatchObject({ code: 'store-failed' });
    await open(hanging, { store: base });
    for (const threadId of ['a', 'b', 'c']) {
      expect(await base.findLane({ scope: 'local', threadId })).toMatchObject({ open: { interruptions: 1 } });
    }
  },
);

/** A store over another that takes no writes while `isLow` says so. */
function lowWhile(base: Store, isLow: () => boolean): Store {
  const low = (): Promise<never> => Promise.reject(new Fault('disk-low', 'the disk is full'));
  return patched(base, {
    update: (...args: Parameters<Store['update']>) => (isLow() ? low() : base.update(...args)) as never,
    append: (...args) => (isLow() ? low() : base.append(...args)),
    health: () => (isLow() ? { is: 'read-only', why: new Fault('disk-low', 'the disk is full') } : { is: 'open' }),
  });
}

test(
  'a run whose end the disk had no room for goes on when it has',
  { tags: 'unsettled-end-is-settled-later' },
  async () => {
    let isLow = false;
    const store = lowWhile(new MemoryStore({ clock: systemClock }), () => isLow);
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
  },
);

test('a store that no longer writes is reported once, with the reason, and so is one that does again', async () => {
  const clock = new ManualClock();
  const base = new MemoryStore({ clock });
  const why = new Fault('disk-low', 'the disk is full');
  let isLow = false;
  const store = patched(base, { health: () => (isLow ? { is: 'read-only', why } : { is: 'open' }) });
  const { logged } = await open(talker, { store, clock });
  for (const is of [true, true, false, false, true]) {
    isLow = is;
    await clock.advance(limits.wakeFallbackMs + 1);
  }
  const [stops, goesOn] = ['the store does not write', 'the store writes again'];
  expect(logged.filter(({ message }) => message.startsWith('the store'))).toEqual([
    { fields: { error: why }, message: stops },
    { fields: {}, message: goesOn },
    { fields: { error: why }, message: stops },
  ]);
});

test('a commit that fails is reported with its cause, though it was asked for by a client alone', async () => {
  const store = new TurnStore(new FailingEngine(new MemoryEngine(), 1, 'before'), { clock: systemClock });
  const { mailbox, logged } = await open(talker, { store, limits: { wakeFallbackMs: 3_600_000 } });
  await expect(mailbox.threads.create(alice, {})).rejects.toMatchObject({ code: 'store-failed' });
  expect(logged).toMatchObject([{ fields: { error: { cause: { message: 'injected: nothing is kept' } } } }]);
});

test(
  'a cancelled run that the disk had no room to finish ends when it has',
  { tags: 'unsettled-end-is-settled-later' },
  async () => {
    const base = new MemoryStore({ clock: systemClock });
    const phaseOf = async (): Promise<string | undefined> =>
      (await base.findLane({ scope: 'local', threadId: 't' }))?.open?.phase.is;
    let [isFull, refusals] = [false, 0];
    const low = lowWhile(base, () => isFull);
    const store = patched(low, {
      update: async (thread, decide) => {
        // Full from when the outcome is decided on.
        if (refusals === 0 && (await phaseOf()) === 'ending') isFull = true;
        if (isFull) refusals += 1;
        return low.update(thread, decide);
      },
    });
    const failing = scripted(async function* (_, context) {
      yield* say(context, 'a', 'text');
      await Promise.reject(new Fault('agent-failed', 'again'));
    });
    const backoff = { backoffBaseMs: 1_000_000, backoffCapMs: 1_000_000 };
    const fixture = await open(failing, { store, limits: { ...backoff, wakeFallbackMs: 20 } });
    const { runId } = await fixture.submit('one');
    await fixture.seen('run.retrying');
    await fixture.mailbox.runs.cancel(caller, runId);
    await until('the trouble', () => refusals > 0);
    isFull = false;
    expect(await fixture.seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled' } });
  },
);

test(
  'what a start on a full disk could not take over is taken over when there is room',
  { tags: 'recovery-reaches-every-thread' },
  async () => {
    const base = new MemoryStore({ clock: systemClock });
    const hanging = scripted(async function* () {
      await new Promise(() => undefined);
      yield* [];
    });
    const dead = await open(hanging, { store: base });
    await dead.submit('one');
    let isFull = true;
    const store = lowWhile(base, () => isFull);
    const { seen } = await open(talker, { store, limits: { wakeFallbackMs: 20 } });
    isFull = false;
    expect(await seen('run.waiting')).toMatchObject({ attempt: 2 });
  },
);

test(
  'a sweep that fails is followed by another, and a thread that cannot be read does not keep it busy',
  { tags: 'lost-wake-is-made-up-for' },
  async () => {
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
  },
);

test(
  'as many broken threads as fit on a page do not keep due ones from their time',
  { tags: 'unreadable-work-holds-up-nobody' },
  async () => {
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
  },
);

for (const actors of ['one actor', 'several']) {
  test(
    `a ready thread that cannot be read holds up no other, of ${actors}`,
    { tags: 'unreadable-work-holds-up-nobody' },
    async () => {
      const base = new MemoryStore({ clock: systemClock });
      const seeded = await open(
        scripted(async function* () {
          await new Promise(() => undefined);
          yield* [];
        }),
        { store: base, limits: { maxRunning: 1, shutdownGraceMs: 0 } },
      );
      const names = ['ann', 'bob', 'cid', 'dan'];
      for (const name of names) {
        const actor = actors === 'several' ? name : 'ann';
        await seeded.mailbox.submit({ scope: 'local', actor }, submission(name, { threadId: name }));
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
      for (const threadId of names.filter((name) => name !== 'bob')) {
        expect(await seen('run.finished', 1, threadId)).toMatchObject({ threadId });
      }
    },
  );
}
