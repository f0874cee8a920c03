import { expect, test } from 'vitest';
import { textOf } from '../../../schemas/part.ts';
import { Fault } from '../../../src/fault.ts';
import { alice, caller, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { until } from '../../support/until.ts';

const answerer = scripted(async function* (_, context) {
  yield* say(context, 'answer', 'an answer');
});
const asking = scripted(async function* (_, context) {
  await context.ask('q', { kind: 'approval', text: 'may I?' });
  yield* say(context, 'answer', 'thanks');
});
const stranger = { scope: 'elsewhere', actor: 'alice' };
const all = { limit: 50 };

test('runs are listed over all threads of a scope, newest first, by status, thread and agent', async () => {
  const { mailbox, submit } = await open(answerer);
  const ids: string[] = [];
  for (const threadId of ['a', 'b', 'c']) {
    const { runId } = await submit(threadId, { threadId });
    await mailbox.runs.wait(alice, runId, 'done', new AbortController().signal);
    ids.unshift(runId);
  }
  const { runs } = mailbox;
  const listed = async (filter: Parameters<typeof runs.list>[1]): Promise<string[]> =>
    (await runs.list(alice, filter, all)).items.map((run) => run.id);
  expect(await listed({})).toEqual(ids);
  expect(await listed({ status: 'done' })).toEqual(ids);
  expect(await listed({ threadId: 'b' })).toEqual([ids[1]]);
  expect(await listed({ agentId: 'another' })).toEqual([]);
  expect(await listed({ status: 'running' })).toEqual([]);
  const first = await runs.list(alice, {}, { limit: 2 });
  const second = await runs.list(alice, {}, { limit: 2, cursor: first.next });
  expect([...first.items, ...second.items].map((run) => run.id)).toEqual(ids);
  expect(second.next).toBeUndefined();
  expect((await runs.list(stranger, {}, all)).items).toEqual([]);
  expect(await runs.find(stranger, ids[0] ?? '')).toBeUndefined();
});

test('whoever waits for a run gets it when it asks, when it is done, or as it is when the wait is over', async () => {
  const { mailbox, submit } = await open(asking);
  const { runId } = await submit('one');
  const { runs } = mailbox;
  const settled = await runs.wait(alice, runId, 'settled', new AbortController().signal);
  expect(settled).toMatchObject({ run: { status: 'waiting' }, tickets: [{ text: 'may I?' }], messages: [] });
  const over = new AbortController();
  const waited = runs.wait(alice, runId, 'done', over.signal);
  over.abort();
  expect((await waited).run.status).toBe('waiting');
  const ended = runs.wait(alice, runId, 'done', new AbortController().signal);
  await mailbox.tickets.decide(caller, settled.tickets[0]?.id ?? '', { answer: { type: 'approve' } });
  const { run, tickets, messages } = await ended;
  expect([run.status, tickets]).toEqual(['done', []]);
  expect(messages.map((message) => textOf(message.parts))).toEqual(['one', 'thanks']);
  await expect(runs.wait(alice, 'run_none', 'done', over.signal)).rejects.toMatchObject({ code: 'not-found' });
});

test('a wait ends when the gateway stops', async () => {
  const { mailbox, submit } = await open(asking);
  const { runId } = await submit('one');
  const waited = mailbox.runs.wait(alice, runId, 'done', new AbortController().signal);
  await until('the question', async () => (await mailbox.runs.find(alice, runId))?.run.status === 'waiting');
  await mailbox.stop();
  expect((await waited).run.status).toBe('waiting');
});

test('a dead run is listed until it is redriven or discarded', async () => {
  let fails = true;
  const { mailbox, submit, seen } = await open(
    scripted(async function* (_, context) {
      if (fails) throw new Fault('agent-refused', 'no');
      yield* say(context, 'answer', 'well then');
    }),
  );
  const { runs } = mailbox;
  const dead = async (): Promise<string[]> =>
    (await runs.list(alice, { status: 'dead' }, all)).items.map((run) => run.id);
  const { runId: first } = await submit('one');
  await seen('run.finished');
  const { runId: second } = await submit('two');
  await seen('run.finished', 2);
  expect(await dead()).toEqual([second, first]);
  await runs.discard(alice, first);
  await runs.discard(alice, first);
  expect(await dead()).toEqual([second]);
  fails = false;
  const again = await runs.redrive(caller, second);
  expect(again.activation.received).toMatchObject({ became: 'running', runId: again.runId });
  expect((await runs.redrive(caller, second)).runId).toBe(again.runId);
  const { run, messages } = await runs.wait(alice, again.runId, 'done', new AbortController().signal);
  expect(run).toMatchObject({ retryOf: second, outcome: { type: 'completed' } });
  expect(messages.map((message) => textOf(message.parts))).toEqual(['well then']);
  expect(await dead()).toEqual([]);
  await expect(runs.redrive(caller, first)).rejects.toMatchObject({ code: 'run-conflict' });
  await expect(runs.redrive({ ...caller, ...stranger }, second)).rejects.toMatchObject({ code: 'not-found' });
});
