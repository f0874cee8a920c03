import { expect, test } from 'vitest';
import type { FaultCode } from '../../../schemas/fault.ts';
import type { RunEvent } from '../../../schemas/run-event.ts';
import { textOf } from '../../../schemas/part.ts';
import type { Run } from '../../../schemas/run.ts';
import { systemClock } from '../../../src/clock.ts';
import { deferred } from '../../../src/deferred.ts';
import { Fault } from '../../../src/fault.ts';
import type { Submission } from '../../../src/gateway.ts';
import type { Mailbox } from '../../../src/mailbox/mailbox.ts';
import type { Store } from '../../../src/mailbox/store.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { checkStore } from '../../support/checker.ts';
import { dyingAt, mortal } from '../../support/crashing-store.ts';
import { alice, caller, type Fixture, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

// What goes wrong where work is queued, retried, waited for and taken over, each under the name of what holds instead.

const thread = { scope: alice.scope, threadId: 't' };

function approve(mailbox: Mailbox, ticketId: string): Promise<unknown> {
  return mailbox.tickets.decide(caller, ticketId, { answer: { type: 'approve' } });
}

async function runOf(store: Store, runId: string): Promise<Run> {
  return until(`the record of ${runId}`, () => store.findRecord(thread, 'run', runId));
}

async function ticketOf({ seen }: Fixture): Promise<string> {
  const opened = await seen('ticket.opened');
  return opened.type === 'ticket.opened' ? opened.ticket.id : '';
}

function typesOf(events: readonly RunEvent[]): RunEvent['type'][] {
  return events.map((event) => event.type);
}

/** Asks, and says what it was told. */
const asking = scripted(async function* (_, context) {
  const [decision] = await context.ask('ok', { kind: 'approval', text: 'May I?' });
  yield* say(context, 'a', decision?.how ?? '');
});

const failing = scripted(async function* (_, context) {
  yield* say(context, 'a', `try ${context.attempt}`);
  throw new Fault('agent-failed', 'not yet');
});

test(
  'retries fire on their own, each after its own delay, until the attempts are used up',
  { tags: ['retries-fire-alone', 'retry-delays-double', 'work-waits-for-its-time', 'attempts-are-bounded'] },
  async () => {
    const clock = new ManualClock();
    const { submit, events, store } = await open(failing, { clock });
    const { runId } = await submit('one');
    await clock.advance(100);
    const starts = async (): Promise<number> =>
      (await events()).filter((event) => event.type === 'text.started').length;
    for (const [retry, delayMs] of [250, 500, 1000, 2000].entries()) {
      const failed = (await events()).findLast((event) => event.type === 'run.retrying');
      await clock.advance((failed?.atMs ?? 0) + delayMs - 1 - clock.now());
      expect(await starts()).toBe(retry + 1);
      await clock.advance(1);
      expect(await starts()).toBe(retry + 2);
      await clock.advance(100);
    }
    await clock.advance(3_600_000);
    expect(await starts()).toBe(5);
    expect(await runOf(store, runId)).toMatchObject({
      status: 'done',
      outcome: { type: 'failed', fault: { code: 'agent-failed' } },
    });
  },
);

test(
  'a retry that was pending when its process ended fires in the next one, at its time',
  { tags: ['retries-fire-alone', 'work-waits-for-its-time'] },
  async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const first = mortal(store);
    const before = await open(failing, { clock, store: first.store });
    await before.submit('one');
    await clock.advance(100);
    const failed = await before.seen('run.retrying');
    first.kill();
    const attempts: number[] = [];
    await open(
      scripted(async function* (_, context) {
        attempts.push(context.attempt);
        yield* say(context, 'b', 'done');
        await Promise.resolve();
      }),
      { clock, store },
    );
    await clock.advance(failed.atMs + 249 - clock.now());
    expect(attempts).toEqual([]);
    await clock.advance(1);
    expect(attempts).toEqual([2]);
  },
);

test(
  'a follower of a retried run sees one terminal event, at the end',
  { tags: ['retry-is-no-end', 'nothing-follows-the-end', 'failed-attempt-is-told'] },
  async () => {
    const { mailbox, submit } = await open(
      scripted(async function* (_, context) {
        yield* say(context, 'a', `try ${context.attempt}`);
        if (context.attempt < 4) throw new Fault('agent-failed', 'not yet');
      }),
      { limits: { backoffBaseMs: 1 } },
    );
    const { activation } = await submit('one');
    const seen: RunEvent[] = [];
    const leave = new AbortController();
    for await (const page of mailbox.follow(alice, 't', activation.afterSeq, leave.signal)) {
      seen.push(...page);
      if (page.some((event) => event.type === 'run.finished')) leave.abort();
    }
    expect(seen.filter((event) => event.type === 'run.retrying')).toMatchObject(
      [2, 3, 4].map((nextAttempt) => ({ nextAttempt, fault: { code: 'agent-failed' } })),
    );
    expect(typesOf(seen).filter((type) => type === 'run.finished')).toHaveLength(1);
    expect(seen.at(-1)).toMatchObject({ type: 'run.finished', outcome: { type: 'completed' }, attempt: 4 });
  },
);

test(
  'a resumed run is not clobbered by what an older attempt of it left',
  { tags: ['resumed-run-is-not-clobbered', 'claim-alone-may-write'] },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const old = deferred();
    const agent = scripted(async function* (_, context) {
      yield* say(context, `from ${context.attempt}`, `attempt ${context.attempt}`);
      if (context.attempt === 1) await old.promise;
      else await context.ask('ok', { kind: 'approval', text: 'May I?' });
      yield* say(context, `after ${context.attempt}`, `end of ${context.attempt}`);
    });
    // It has no room for the attempt that is the other's.
    const first = await open(agent, { store, limits: { maxRunning: 1 } });
    const { runId } = await first.submit('one');
    await first.seen('text.ended');
    const second = await open(agent, { store });
    const ticketId = await ticketOf(second);
    await second.seen('run.waiting');
    const before = await second.events();
    old.resolve();
    await first.mailbox.stop();
    expect(await second.events()).toEqual(before);
    expect(await runOf(store, runId)).toMatchObject({ status: 'waiting', attempt: 2 });
    await approve(second.mailbox, ticketId);
    expect(await second.seen('run.finished')).toMatchObject({ outcome: { type: 'completed' }, attempt: 2 });
    expect(await checkStore(store, ['local'])).toEqual([]);
  },
);

test(
  'lost ownership stops the run, and nothing that it still says is recorded',
  { tags: ['lost-claim-stops-the-run', 'claim-alone-may-write'] },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const reasons: unknown[] = [];
    const stopped = deferred();
    const agent = scripted(async function* (_, context) {
      yield* say(context, `from ${context.attempt}`, `attempt ${context.attempt}`);
      if (context.attempt > 1) return;
      context.signal.addEventListener('abort', () => {
        reasons.push(context.signal.reason);
        stopped.resolve();
      });
      await stopped.promise;
      yield* say(context, 'late', 'still here');
    });
    const limits = { wakeFallbackMs: 20 };
    const first = await open(agent, { store, limits });
    await first.submit('one');
    await first.seen('text.ended');
    const second = await open(agent, { store, limits });
    expect(await second.seen('run.finished')).toMatchObject({ outcome: { type: 'completed' }, attempt: 2 });
    await stopped.promise;
    await first.mailbox.stop();
    expect(reasons).toMatchObject([{ code: 'claim-lost' }]);
    expect(JSON.stringify(await second.events())).not.toContain('still here');
    expect(await checkStore(store, ['local'])).toEqual([]);
  },
);

test(
  'a cancelled waiting run stays cancelled over a restart, and the next message starts a new run',
  { tags: ['cancelled-waiting-run-stays-cancelled', 'ended-run-is-not-reused', 'ended-run-says-how'] },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const first = await open(asking, { store });
    const { runId } = await first.submit('one');
    const ticketId = await ticketOf(first);
    await first.seen('run.waiting');
    await first.mailbox.runs.cancel(caller, runId);
    await first.seen('run.finished');
    await first.mailbox.stop();
    const second = await open(asking, { store });
    await expect(approve(second.mailbox, ticketId)).rejects.toMatchObject({ code: 'decision-conflict' });
    const next = await second.submit('two');
    expect(next.runId).not.toBe(runId);
    await second.seen('ticket.opened', 2);
    expect(await runOf(store, runId)).toMatchObject({
      status: 'done',
      attempt: 1,
      outcome: { type: 'cancelled', by: 'alice', reason: 'cancelled' },
    });
    expect(await runOf(store, next.runId)).not.toMatchObject({ status: 'done' });
  },
);

test(
  'a cancel whose process dies before it could end the run is carried out by the next one',
  { tags: ['decided-end-survives-a-crash', 'cancelled-waiting-run-stays-cancelled'] },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const first = await open(asking, { store });
    const { runId } = await first.submit('one');
    await first.seen('run.waiting');
    await first.mailbox.stop();
    const dying = dyingAt(store, 2, false);
    const second = await open(asking, { store: dying.store });
    await second.mailbox.runs.cancel(caller, runId);
    await until('the death of its process', dying.isDead);
    expect(await runOf(store, runId)).toMatchObject({ status: 'waiting' });
    const third = await open(asking, { store });
    expect(await third.seen('run.finished')).toMatchObject({ runId, outcome: { type: 'cancelled' } });
    expect(await checkStore(store, ['local'])).toEqual([]);
  },
);

test(
  'a request that is refused leaves the active run alone, be it running or waiting',
  { tags: ['refused-request-leaves-the-run-alone', 'refused-request-writes-nothing'] },
  async () => {
    const gate = deferred();
    let stops = 0;
    const fixture = await open(
      scripted(async function* (activation, context) {
        context.signal.addEventListener('abort', () => (stops += 1));
        if (textOf(activation.messages[0]?.parts ?? []) === 'work') await gate.promise;
        else await context.ask('ok', { kind: 'approval', text: 'May I?' });
        yield* say(context, 'a', 'done');
      }),
    );
    const { submit, seen, events, mailbox, store } = fixture;
    const refused: readonly [string, Partial<Submission>, FaultCode][] = [
      ['branch', { base: 'nowhere' }, 'not-found'],
      ['expects', { expectedRunId: 'run_other' }, 'run-conflict'],
      ['agent', { agentId: 'nobody' }, 'agent-not-found'],
      ['empty', { messages: [] }, 'invalid-request'],
      ['work', { messages: [{ role: 'user', parts: [{ type: 'text', text: 'other words' }] }] }, 'request-conflict'],
      ['busy', { whenBusy: 'reject' }, 'run-conflict'],
    ];
    const refuseAll = async (runId: string): Promise<void> => {
      const found = async (): Promise<unknown[]> => [
        await events(),
        await store.findLane(thread),
        await runOf(store, runId),
      ];
      const before = await found();
      for (const [key, change, code] of refused) {
        await expect(submit(key, { whenBusy: 'interrupt', ...change })).rejects.toMatchObject({ code });
      }
      expect(await found()).toEqual(before);
    };
    const works = await submit('work');
    await seen('message.added');
    await refuseAll(works.runId);
    gate.resolve();
    expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'completed' } });
    const asks = await submit('ask');
    await seen('run.waiting');
    await refuseAll(asks.runId);
    await approve(mailbox, await ticketOf(fixture));
    expect(await seen('run.finished', 2)).toMatchObject({ outcome: { type: 'completed' } });
    expect(stops).toBe(0);
  },
);

for (const end of ['answered', 'cancelled'] as const) {
  test(
    `input queued behind a waiting run runs as itself once that is ${end}, never against the finished one`,
    { tags: ['queued-input-starts-its-own-run', 'next-run-starts-by-itself'] },
    async () => {
      const told: (readonly string[])[] = [];
      const fixture = await open(
        scripted(async function* (activation, context) {
          const texts = activation.messages.map((message) => textOf(message.parts));
          told.push([activation.runId, String(context.attempt), ...texts]);
          if (texts[0] === 'one') await context.ask('ok', { kind: 'approval', text: 'May I?' });
          yield* say(context, 'a', `done ${texts[0]}`);
        }),
      );
      const { submit, seen, events, mailbox, store } = fixture;
      const one = await submit('one');
      const ticketId = await ticketOf(fixture);
      await seen('run.waiting');
      const two = await submit('two');
      expect(two).toMatchObject({ became: 'blocked', blockedBy: [ticketId] });
      expect(two.runId).not.toBe(one.runId);
      if (end === 'answered') await approve(mailbox, ticketId);
      else await mailbox.runs.cancel(caller, one.runId);
      await seen('run.finished', 2);
      expect(told).toEqual([
        [one.runId, '1', 'one'],
        [two.runId, '1', 'two'],
      ]);
      const ends = (await events()).filter((event) => event.type === 'run.finished');
      expect(ends.map((event) => event.runId)).toEqual([one.runId, two.runId]);
      expect(await runOf(store, two.runId)).toMatchObject({ status: 'done', outcome: { type: 'completed' } });
      expect(await checkStore(store, ['local'])).toEqual([]);
    },
  );
}

test(
  'a late decision after expiry is refused without side effects',
  { tags: ['late-decision-does-nothing'] },
  async () => {
    const clock = new ManualClock();
    const fixture = await open(
      scripted(async function* (_, context) {
        const [decision] = await context.ask('ok', { kind: 'approval', text: 'May I?', expiresInMs: 1000 });
        yield* say(context, 'a', decision?.how ?? '');
      }),
      { clock },
    );
    const { submit, events, mailbox, store } = fixture;
    await submit('one');
    await clock.advance(200);
    const ticketId = await ticketOf(fixture);
    await clock.advance(1100);
    const log = await events();
    expect(typesOf(log).filter((type) => type === 'ticket.closed')).toHaveLength(1);
    expect(log.find((event) => event.type === 'text.delta')).toMatchObject({ delta: 'expired' });
    expect(log.at(-1)).toMatchObject({ type: 'run.finished', outcome: { type: 'completed' } });
    const lane = await store.findLane(thread);
    const ticket = await store.findRecord(thread, 'ticket', ticketId);
    await expect(approve(mailbox, ticketId)).rejects.toMatchObject({ code: 'decision-conflict' });
    await clock.advance(60_000);
    expect(await events()).toEqual(log);
    expect(await store.findLane(thread)).toEqual(lane);
    expect(await store.findRecord(thread, 'ticket', ticketId)).toEqual(ticket);
  },
);

test(
  'a suspended run waits through a hard restart and is answerable one second after it',
  { tags: ['question-survives-a-restart', 'restart-wakes-no-waiting-run'] },
  async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const attempts: number[] = [];
    const agent = scripted(async function* (_, context) {
      attempts.push(context.attempt);
      const [decision] = await context.ask('ok', { kind: 'approval', text: 'May I?' });
      yield* say(context, 'a', decision?.how ?? '');
    });
    const process = mortal(store);
    const first = await open(agent, { clock, store: process.store });
    const { runId } = await first.submit('one');
    await clock.advance(200);
    await first.seen('run.waiting');
    process.kill();
    const second = await open(agent, { clock, store });
    await clock.advance(1000);
    expect(attempts).toEqual([1]);
    expect(await runOf(store, runId)).toMatchObject({ status: 'waiting' });
    await approve(second.mailbox, await ticketOf(second));
    await clock.advance(100);
    expect(attempts).toEqual([1, 2]);
    expect((await second.events()).at(-1)).toMatchObject({
      runId,
      type: 'run.finished',
      outcome: { type: 'completed' },
    });
    expect(await checkStore(store, ['local'])).toEqual([]);
  },
);

test(
  'an interrupt of an agent that stops quickly starts the next run quickly, not at the end of the grace',
  { tags: ['interrupt-starts-the-next-soon'] },
  async () => {
    const clock = new ManualClock();
    const { submit, events } = await open(
      scripted(async function* (activation, context) {
        yield* say(context, 'a', 'so far');
        if (textOf(activation.messages[0]?.parts ?? []) === 'two') return;
        await new Promise<void>((resolve) => {
          context.signal.addEventListener('abort', () => clock.at(clock.now() + 10, resolve));
        });
      }),
      { clock },
    );
    await submit('one');
    await clock.advance(100);
    const next = await submit('two', { whenBusy: 'interrupt' });
    await clock.advance(200);
    const ended = (await events()).filter((event) => event.type === 'run.finished');
    expect(ended).toMatchObject([
      { outcome: { type: 'cancelled', reason: 'interrupted' } },
      { runId: next.runId, outcome: { type: 'completed' } },
    ]);
  },
);
