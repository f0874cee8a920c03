import { expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { textOf } from '../../../schemas/part.ts';
import { deferred } from '../../../src/deferred.ts';
import type { Activated } from '../../../src/agents/agent.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { checkStore } from '../../support/checker.ts';
import { mortal } from '../../support/crashing-store.ts';
import { alice, caller, open, say, scripted, type Script, submission } from '../../support/mailbox-fixture.ts';
import { until } from '../../support/until.ts';

const hang: Script = async function* (_, context) {
  yield* say(context, 'a', 'so far');
  await new Promise(() => undefined);
};
const hanging = scripted(hang);

test(
  'what a starting process claims meanwhile is not taken for what a dead one left',
  { tags: ['recovery-reaches-every-thread', 'queued-work-survives-a-restart'] },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const dead = Array.from({ length: 70 }, (_, index) => `a${index}`);
    const dying = mortal(store);
    const first = await open(hanging, { store: dying.store, limits: { maxRunning: dead.length } });
    for (const threadId of [...dead, 'queued']) await first.submit('one', { threadId });
    await until('its claims', async () => (await store.held(undefined, 100)).length === dead.length);
    dying.kill();
    const attempts: string[] = [];
    const recovered = deferred();
    const agent = scripted(async function* (activation, context) {
      attempts.push(`${activation.threadId} ${context.attempt}`);
      yield* say(context, 'b', 'done');
      await recovered.promise;
    });
    const { seen } = await open(agent, { store });
    recovered.resolve();
    for (const threadId of [...dead, 'queued']) await seen('run.finished', 1, threadId);
    expect(attempts.toSorted()).toEqual([...dead.map((threadId) => `${threadId} 2`), 'queued 1'].toSorted());
  },
);

test('more threads than fit on a page are all recovered', { tags: 'recovery-reaches-every-thread' }, async () => {
  const store = new MemoryStore({ clock: systemClock });
  const dying = mortal(store);
  const first = await open(hanging, { store: dying.store });
  const names = Array.from({ length: 150 }, (_, index) => `t${index}`);
  await Promise.all(names.map((threadId) => first.submit('one', { threadId })));
  await until('its claims', async () => (await store.held(undefined, 200)).length === names.length);
  dying.kill();
  const agent = scripted(async function* (_, context) {
    yield* say(context, 'a', 'done');
    await Promise.resolve();
  });
  const { seen } = await open(agent, { store });
  for (const name of names) expect(await seen('run.finished', 1, name)).toMatchObject({ attempt: 2 });
});

test('a run whose agent is gone fails, and keeps what it had written', async () => {
  const store = new MemoryStore({ clock: systemClock });
  const dying = mortal(store);
  const first = await open(hanging, { store: dying.store });
  await first.submit('one');
  await first.seen('text.ended');
  dying.kill();
  const other = scripted(hang, { id: 'another' });
  const { seen } = await open(other, { store });
  expect(await seen('run.finished')).toMatchObject({ outcome: { fault: { code: 'agent-not-found' } } });
  expect(await checkStore(store, ['local'])).toEqual([]);
});

test(
  'a later attempt is told what started the run, and nothing of what came into it since',
  { tags: 'request-survives-the-queue' },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const told: Activated[] = [];
    const gate = deferred();
    const agent = scripted(async function* (activation, context) {
      told.push(activation);
      await gate.promise;
      await context.input();
      yield* say(context, 'a', 'took it');
      if (context.attempt === 1) await new Promise(() => undefined);
    });
    const dying = mortal(store);
    const first = await open(agent, { store: dying.store });
    const context = (value: string): { context: { description: string; value: string }[] } => ({
      context: [{ description: 'which', value }],
    });
    await first.submit('one', context('first'));
    await first.submit('two', { ...context('second'), whenBusy: 'steer' });
    gate.resolve();
    await first.seen('text.ended');
    dying.kill();
    const second = await open(agent, { store });
    await second.seen('run.finished');
    expect(told).toHaveLength(2);
    expect(told[1]?.context).toEqual(told[0]?.context);
    expect(told[1]?.messages.map((message) => message.id)).toEqual(told[0]?.messages.map((message) => message.id));
  },
);

test(
  'stopping twice is stopping once, and nothing is left claimed or begun',
  { tags: 'stop-waits-for-what-is-under-way' },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    let stops = 0;
    const deaf = scripted(async function* (_, context) {
      context.signal.addEventListener('abort', () => (stops += 1));
      yield* say(context, 'a', 'so far');
      await new Promise(() => undefined);
    });
    const { mailbox, submit } = await open(deaf, { store, limits: { shutdownGraceMs: 30 } });
    for (const threadId of ['a', 'b']) await submit('one', { threadId });
    const late = Promise.allSettled(['c', 'd'].map((threadId) => submit('late', { threadId })));
    let ended = 0;
    await Promise.all(
      [1, 2].map(() =>
        mailbox.stop().then(async () => {
          ended += 1;
          expect(await store.held(undefined, 10)).toEqual([]);
        }),
      ),
    );
    const accepted = (await late).filter((result) => result.status === 'fulfilled');
    expect(await store.held(undefined, 10)).toEqual([]);
    expect(ended).toBe(2);
    expect(stops).toBeGreaterThan(0);
    await expect(submit('three')).rejects.toMatchObject({ code: 'shutting-down' });
    const lanes = await Promise.all(
      ['a', 'b', 'c', 'd'].map((threadId) => store.findLane({ scope: 'local', threadId })),
    );
    const begun = lanes.filter((lane) => lane !== undefined);
    expect(begun).toHaveLength(2 + accepted.length);
    for (const lane of begun)
      expect(lane.open).toMatchObject({ failures: 0, interruptions: 0, phase: { is: 'ready' } });
  },
);

test('an agent that cannot be run again may end its turn while the process stops', async () => {
  const gate = deferred();
  const agent = scripted(
    async function* (_, context) {
      yield* say(context, 'a', 'so far');
      await gate.promise;
      yield* say(context, 'b', 'and the rest');
    },
    { recovery: 'fail' },
  );
  const { mailbox, submit, seen, store } = await open(agent);
  await submit('one');
  await seen('text.ended');
  const stopped = mailbox.stop();
  gate.resolve();
  await stopped;
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'completed' } });
  expect(await checkStore(store, ['local'])).toEqual([]);
});

test('a process that stops while it starts leaves the rest to the next', async () => {
  const store = new MemoryStore({ clock: systemClock });
  const dying = mortal(store);
  const first = await open(hanging, { store: dying.store });
  for (let index = 0; index < 70; index++) await first.submit('one', { threadId: `t${index}` });
  dying.kill();
  const { mailbox } = await open(hanging, { store, limits: { shutdownGraceMs: 0 } });
  await mailbox.stop();
  expect(await until('a claim', () => store.held(undefined, 100))).toEqual([]);
});

test('cancelled and broken off at once, a run keeps exactly what is in its log', async () => {
  const store = new MemoryStore({ clock: systemClock });
  let isStuck = false;
  const stuck = new Proxy(store, {
    get: (_, name) => {
      if (name === 'append' && isStuck) return () => new Promise(() => undefined);
      const member = store[name as keyof MemoryStore] as (...args: unknown[]) => unknown;
      return member.bind(store);
    },
  });
  const agent = scripted(async function* (_, context) {
    yield* say(context, 'a', 'kept');
    await context.checkpoint();
    isStuck = true;
    yield* say(context, 'b', 'never written');
    await new Promise(() => undefined);
  });
  const { mailbox, submit, seen } = await open(agent, { store: stuck, limits: { shutdownGraceMs: 20 } });
  const { runId } = await submit('one');
  await seen('text.ended');
  await until('the trouble', () => isStuck);
  await mailbox.runs.cancel(caller, runId);
  await mailbox.stop();
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled' } });
  const messages = await store.listRecords({ scope: 'local', threadId: 't' }, 'message', '', 10);
  expect(messages.map((message) => textOf(message.parts)).toSorted()).toEqual(['kept', 'one']);
  expect(await checkStore(store, ['local'])).toEqual([]);
});

test('submissions are refused after the stop', async () => {
  const { mailbox } = await open(hanging);
  await mailbox.stop();
  await expect(mailbox.submit(alice, submission('one'))).rejects.toMatchObject({ code: 'shutting-down' });
});
