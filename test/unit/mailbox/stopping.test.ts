import { expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { deferred } from '../../../src/deferred.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { mortal } from '../../support/crashing-store.ts';
import { caller, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { until } from '../../support/until.ts';

/** Writes, then waits until it is told to stop. */
const obedient = scripted(async function* (activation, context) {
  yield* say(context, 'a', 'so far');
  if (activation.metadata['quick'] === true) return;
  await new Promise((_, reject) => {
    context.signal.addEventListener('abort', () => {
      reject(context.signal.reason as Error);
    });
  });
});

test(
  'a cancelled run ends as cancelled, keeps what it wrote, and is a no-op to cancel again',
  { tags: ['ended-run-says-how', 'cancel-reaches-what-it-names'] },
  async () => {
    const { submit, seen, mailbox, store } = await open(obedient);
    const { runId } = await submit('one');
    await seen('text.ended');
    expect((await mailbox.runs.cancel(caller, runId)).runs).toEqual({ [runId]: 'stopping' });
    const finished = await seen('run.finished');
    expect(finished).toMatchObject({ outcome: { type: 'cancelled', by: 'alice', reason: 'cancelled' } });
    expect((await mailbox.runs.cancel(caller, runId)).runs).toEqual({ [runId]: 'was-ended' });
    const lane = await store.findLane({ scope: 'local', threadId: 't' });
    const head = await store.findRecord({ scope: 'local', threadId: 't' }, 'message', lane?.headId ?? '');
    expect(head?.parts).toEqual([{ type: 'text', text: 'so far' }]);
  },
);

test(
  'a run that is cancelled before its agent is called ends without calling it',
  { tags: 'stopped-before-start-never-runs' },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const isCancelled = deferred();
    const findLane = store.findLane.bind(store);
    store.findLane = (key) => isCancelled.promise.then(() => findLane(key));
    let calls = 0;
    const counting = scripted(async function* (_, context) {
      calls += 1;
      yield* say(context, 'a', 'never');
    });
    const { submit, seen, mailbox } = await open(counting, { store });
    const { runId, became } = await submit('one');
    expect(became).toBe('running');
    expect((await mailbox.runs.cancel(caller, runId)).runs).toEqual({ [runId]: 'stopping' });
    isCancelled.resolve();
    expect(await seen('run.finished')).toMatchObject({ runId, outcome: { type: 'cancelled' } });
    expect(calls).toBe(0);
  },
);

test('an agent that does not stop loses its claim at the end of the grace', async () => {
  const never = deferred();
  const { submit, seen, mailbox } = await open(
    scripted(async function* (_, context) {
      yield* say(context, 'a', 'so far');
      await never.promise;
    }),
    { limits: { graceMs: 50 } },
  );
  const { runId } = await submit('one');
  await seen('text.ended');
  await mailbox.runs.cancel(caller, runId);
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled' } });
});

test(
  'an interrupt of an agent that does not stop starts the next run at the end of the grace',
  { tags: 'slow-agent-fails-no-interrupt' },
  async () => {
    const deaf = scripted(async function* (activation, context) {
      yield* say(context, 'a', 'so far');
      if (activation.metadata['heeds'] !== true) await new Promise(() => undefined);
    });
    const { submit, seen } = await open(deaf, { limits: { graceMs: 50, shutdownGraceMs: 0 } });
    const { runId } = await submit('one');
    await seen('text.ended');
    const next = await submit('two', { whenBusy: 'interrupt', metadata: { heeds: true } });
    expect(next.became).toBe('queued');
    expect(await seen('run.finished')).toMatchObject({ runId, outcome: { type: 'cancelled', reason: 'interrupted' } });
    expect(await seen('run.finished', 2)).toMatchObject({ runId: next.runId, outcome: { type: 'completed' } });
  },
);

test(
  'an interrupt of an agent that stops quickly starts the next run quickly',
  { tags: 'interrupt-starts-the-next-soon' },
  async () => {
    const { submit, seen } = await open(obedient, { limits: { graceMs: 60_000 } });
    await submit('one');
    await seen('text.ended');
    const next = await submit('two', { whenBusy: 'interrupt', metadata: { quick: true } });
    expect(next.became).toBe('queued');
    await seen('run.finished', 2);
  },
);

test('a cancelled waiting run stays cancelled', { tags: 'cancelled-waiting-run-stays-cancelled' }, async () => {
  const { submit, seen, mailbox, events } = await open(
    scripted(async function* (_, context) {
      await context.ask('ok', { kind: 'approval', text: 'ok?' });
      yield* say(context, 'a', 'never');
    }),
  );
  const { runId } = await submit('one');
  await seen('run.waiting');
  await mailbox.runs.cancel(caller, runId);
  await seen('run.finished');
  expect((await events()).map((event) => event.type).slice(-2)).toEqual(['ticket.closed', 'run.finished']);
  const after = await submit('two', { metadata: {} });
  expect(after.runId).not.toBe(runId);
});

test(
  'input steered into a running turn is taken once; what it does not take becomes one run behind it',
  { tags: ['steered-input-is-taken-once', 'steer-falls-back-to-the-queue'] },
  async () => {
    const gate = deferred();
    const last = deferred();
    const told: string[] = [];
    const { submit, seen, events } = await open(
      scripted(async function* (activation, context) {
        if (activation.messages.length > 1) {
          told.push(`run of ${activation.messages.length}`);
          return;
        }
        await gate.promise;
        const taken = await context.input();
        told.push(...taken.map((message) => (message.parts[0]?.type === 'text' ? message.parts[0].text : '')));
        yield* say(context, 'a', 'took it');
        await last.promise;
      }),
    );
    await submit('one');
    const first = await submit('two', { whenBusy: 'steer' });
    expect(first.became).toBe('pending');
    gate.resolve();
    await seen('text.ended');
    await submit('three', { whenBusy: 'steer' });
    await submit('four', { whenBusy: 'steer' });
    last.resolve();
    await seen('run.finished', 2);
    expect(told).toEqual(['two', 'run of 2']);
    const added = (await events()).filter((event) => event.type === 'message.added' && event.message.role === 'user');
    expect(added).toHaveLength(4);
  },
);

test(
  'a stopping mailbox releases what can run again, and the next one goes on with it',
  { tags: ['stop-waits-for-what-is-under-way', 'queued-work-survives-a-restart'] },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const listening = deferred();
    let stops = 0;
    const agent = scripted(async function* (_, context) {
      yield* say(context, 'a', 'hello');
      await context.checkpoint();
      if (context.attempt > 1) return;
      await new Promise<void>((_resolve, reject) => {
        context.signal.addEventListener('abort', () => {
          stops += 1;
          reject(context.signal.reason as Error);
        });
        listening.resolve();
      });
    });
    const first = await open(agent, { store });
    await first.submit('one');
    await listening.promise;
    await first.mailbox.stop();
    expect(stops).toBe(1);
    const lane = await store.findLane({ scope: 'local', threadId: 't' });
    expect(lane?.open).toMatchObject({ failures: 0, interruptions: 0, phase: { is: 'ready' } });
    const second = await open(agent, { store });
    expect(await second.seen('run.finished')).toMatchObject({ outcome: { type: 'completed' } });
    expect((await second.events()).filter((event) => event.type === 'text.started')).toHaveLength(1);
  },
);

test(
  'a run whose process died is run again, and an agent that must not be ends as interrupted',
  { tags: ['dead-process-costs-an-interruption', 'attempts-are-numbered'] },
  async () => {
    for (const recovery of ['rerun', 'fail'] as const) {
      const store = new MemoryStore({ clock: systemClock });
      const agent = scripted(
        async function* (_, context) {
          yield* say(context, 'a', `attempt ${context.attempt}`);
          if (context.attempt === 1) await new Promise(() => undefined);
        },
        { recovery },
      );
      const dying = mortal(store);
      const first = await open(agent, { store: dying.store });
      await first.submit('one');
      await first.seen('text.ended');
      dying.kill();
      const second = await open(agent, { store });
      const finished = await second.seen('run.finished');
      const outcome = finished.type === 'run.finished' ? finished.outcome.type : '';
      expect(outcome).toBe(recovery === 'rerun' ? 'completed' : 'failed');
      const lane = await until('the messages', () => store.findLane({ scope: 'local', threadId: 't' }));
      const head = await store.findRecord({ scope: 'local', threadId: 't' }, 'message', lane.headId ?? '');
      expect(head?.parts).toEqual([{ type: 'text', text: recovery === 'rerun' ? 'attempt 2' : 'attempt 1' }]);
    }
  },
);
