import { expect, test } from 'vitest';
import { Fault } from '../../../src/fault.ts';
import { deferred } from '../../../src/deferred.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { alice, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { until } from '../../support/until.ts';

const thread = { scope: alice.scope, threadId: 't' };

test(
  'a request becomes a run whose events and messages are durable',
  { tags: ['answer-is-recorded-with-its-outcome', 'receipt-says-what-became', 'accepted-run-is-on-record'] },
  async () => {
    const { submit, seen, events, store, done } = await open(
      scripted(async function* (_, context) {
        yield* say(context, 'a', 'hello');
      }),
    );
    const receipt = await submit('one');
    expect(receipt).toMatchObject({ was: 'accepted', became: 'running', activation: { afterSeq: 0 } });
    await done('one');
    await seen('run.finished');
    expect((await events()).map((event) => event.type)).toEqual([
      'run.queued',
      'run.started',
      'message.added',
      'text.started',
      'text.delta',
      'text.ended',
      'run.finished',
    ]);
    const lane = await store.findLane(thread);
    const answer = await store.findRecord(thread, 'message', lane?.headId ?? '');
    expect(answer).toMatchObject({ role: 'assistant', parts: [{ type: 'text', text: 'hello' }] });
    const run = await store.findRecord(thread, 'run', receipt.runId);
    expect(run).toMatchObject({ status: 'done', outcome: { type: 'completed', stop: 'end_turn' } });
  },
);

test('the same request twice is one run', { tags: 'same-request-is-one-run' }, async () => {
  const { submit, seen, events } = await open(
    scripted(async function* (_, context) {
      yield* say(context, 'a', 'hello');
    }),
  );
  const [first, second] = await Promise.all([submit('one'), submit('one')]);
  expect(second.runId).toBe(first.runId);
  await seen('run.finished');
  const third = await submit('one');
  expect(third).toMatchObject({ was: 'repeated', became: 'answered', runId: first.runId });
  expect((await events()).filter((event) => event.type === 'run.started')).toHaveLength(1);
});

test(
  'a second request on a busy thread runs behind the first, with its answer in its history',
  { tags: ['next-run-starts-by-itself', 'next-run-knows-the-last', 'busy-thread-does-as-asked'] },
  async () => {
    const gate = deferred();
    const told: string[][] = [];
    const { submit, seen } = await open(
      scripted(async function* (activation, context) {
        const history: string[] = [];
        for await (const message of context.history()) history.push(message.role);
        told.push(history);
        if (activation.messages[0]?.parts[0]?.type === 'text' && activation.messages[0].parts[0].text === 'one')
          await gate.promise;
        yield* say(context, 'a', 'done');
      }),
    );
    await submit('one');
    const second = await submit('two');
    expect(second.became).toBe('queued');
    gate.resolve();
    await seen('run.finished', 2);
    expect(told).toEqual([['user'], ['user', 'assistant', 'user']]);
  },
);

test(
  'a failing agent is retried with growing delays, and what it wrote is discarded each time',
  { tags: ['retries-fire-alone', 'failed-attempt-is-told'] },
  async () => {
    const clock = new ManualClock();
    let runs = 0;
    const { submit, events, seen, store } = await open(
      scripted(async function* (_, context) {
        runs += 1;
        const id = context.id('a');
        yield { type: 'text.started', id, role: 'assistant' };
        yield { type: 'text.delta', id, delta: `try ${runs}` };
        if (runs < 4) throw new Fault('agent-failed', 'not yet');
        yield { type: 'text.ended', id };
      }),
      { clock },
    );
    await submit('one');
    for (const [index, delayMs] of [250, 500, 1000].entries()) {
      await until(`attempt ${index + 1} to fail`, async () => {
        await clock.advance(0);
        return (await events()).filter((event) => event.type === 'run.retrying').length === index + 1;
      });
      await clock.advance(delayMs - 1);
      expect(runs).toBe(index + 1);
      await clock.advance(1);
      await until('the next attempt', async () => {
        await clock.advance(0);
        return runs === index + 2;
      });
    }
    await until('the end', async () => {
      await clock.advance(20);
      return (await events()).some((event) => event.type === 'run.finished');
    });
    const retries = (await events()).filter((event) => event.type === 'run.retrying');
    expect(retries.map((event) => event.retryAtMs - event.atMs)).toEqual([250, 500, 1000]);
    const finished = await seen('run.finished');
    expect(finished).toMatchObject({ outcome: { type: 'completed' }, attempt: 4 });
    const lane = await store.findLane(thread);
    const answer = await store.findRecord(thread, 'message', lane?.headId ?? '');
    expect(answer?.parts).toEqual([{ type: 'text', text: 'try 4' }]);
  },
);

test('an unknown failure is logged with its cause and told without it', async () => {
  const { submit, seen, logged } = await open(
    scripted(async function* () {
      await Promise.resolve();
      throw new TypeError('a secret detail');
    }),
    { limits: { maxAttempts: 1 } },
  );
  await submit('one');
  const finished = await seen('run.finished');
  expect(JSON.stringify(finished)).not.toContain('secret');
  expect(finished).toMatchObject({ outcome: { type: 'failed', fault: { code: 'internal' } } });
  expect(logged.some(({ fields }) => String((fields as { error?: unknown }).error).includes('a secret detail'))).toBe(
    true,
  );
});

test('an agent that misuses an item fails with the reason', async () => {
  const { submit, seen } = await open(
    scripted(async function* () {
      await Promise.resolve();
      yield { type: 'text.delta', id: 'nothing', delta: 'x' };
    }),
  );
  await submit('one');
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'failed', fault: { code: 'agent-protocol' } } });
});

test(
  'with one slot, a waiting run lets another thread run',
  { tags: ['threads-do-not-block-each-other', 'slots-come-back'] },
  async () => {
    const { submit, seen } = await open(
      scripted(async function* (activation, context) {
        if (activation.threadId === 't') await context.ask('ok?', { kind: 'approval', text: 'ok?' });
        yield* say(context, 'a', 'done');
      }),
      { limits: { maxRunning: 1 } },
    );
    await submit('one');
    const other = await submit('two', { threadId: 'u' });
    expect(other.became).toBe('queued');
    await seen('run.finished', 1, 'u');
    await seen('run.waiting');
  },
);

test('deltas are merged, and nothing of the text is lost', async () => {
  const { submit, events, seen } = await open(
    scripted(async function* (_, context) {
      const id = context.id('a');
      yield { type: 'text.started', id, role: 'assistant' };
      for (let n = 0; n < 5000; n++) yield { type: 'text.delta', id, delta: `${n} ` };
      yield { type: 'text.ended', id };
      await Promise.resolve();
    }),
  );
  await submit('one');
  await seen('run.finished');
  const deltas = (await events()).filter((event) => event.type === 'text.delta');
  expect(deltas.length).toBeLessThan(1000);
  expect(deltas.map((event) => event.delta).join('')).toBe(Array.from({ length: 5000 }, (_, n) => `${n} `).join(''));
});

test('two scopes with the same names are strangers', { tags: 'any-name-is-safe' }, async () => {
  const { mailbox, submit, seen } = await open(
    scripted(async function* (_, context) {
      yield* say(context, 'a', 'hello');
    }),
  );
  const receipt = await submit('one');
  await seen('run.finished');
  const bob = { scope: 'other', actor: 'bob' };
  expect(await mailbox.findActivation(bob, 't', receipt.activation.id)).toBeUndefined();
  await expect(mailbox.view(bob, 't', receipt.runId, 1)).rejects.toMatchObject({ code: 'not-found' });
  const follow = mailbox.follow(bob, 't', 0, new AbortController().signal)[Symbol.asyncIterator]();
  await expect(follow.next()).rejects.toMatchObject({ code: 'not-found' });
});

test('a slot that becomes free is given to what waits for one, without a look at the clock', async () => {
  const gate = deferred();
  const agent = scripted(async function* (_, context) {
    await gate.promise;
    yield* say(context, 'a', 'done');
  });
  const { submit, seen } = await open(agent, { limits: { maxRunning: 1, wakeFallbackMs: 3_600_000 } });
  const threads = ['a', 'b', 'c', 'd'];
  for (const threadId of threads) await submit('one', { threadId });
  gate.resolve();
  for (const threadId of threads) expect(await seen('run.finished', 1, threadId)).toMatchObject({ threadId });
});
