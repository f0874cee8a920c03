import { expect, test } from 'vitest';
import type { Decision, Question } from '../../../schemas/ticket.ts';
import { alice, caller, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { until } from '../../support/until.ts';

const told: (readonly Decision[])[] = [];

function asking(...questions: readonly [Question, ...Question[]]) {
  return scripted(async function* (_, context) {
    told.push(await context.ask('q', ...questions));
    yield* say(context, 'answer', 'thanks');
  });
}

const approval: Question = { kind: 'approval', text: 'may I?' };
const stranger = { scope: 'elsewhere', actor: 'alice' };
const all = { limit: 50 };

test('open questions are listed by thread, by run, and over all that one may see', async () => {
  const { mailbox, submit, seen } = await open(asking(approval, { ...approval, text: 'and this?' }));
  const { runId } = await submit('one', { threadId: 'a' });
  await submit('two', { threadId: 'b' });
  for (const threadId of ['a', 'b']) await seen('run.waiting', 1, threadId);
  const { tickets } = mailbox;
  const count = async (filter: Parameters<typeof tickets.list>[1], who = alice): Promise<number> =>
    (await tickets.list(who, filter, all)).items.length;
  expect(await count({ state: 'open' })).toBe(4);
  expect(await count({ state: 'open', threadId: 'a' })).toBe(2);
  expect(await count({ state: 'open', runId })).toBe(2);
  expect(await count({ state: 'open' }, stranger)).toBe(0);
  await expect(count({ runId: 'run_none' })).rejects.toMatchObject({ code: 'not-found' });
  const [newest] = (await tickets.list(alice, { runId }, all)).items;
  await tickets.decide(caller, newest?.id ?? '', { answer: { type: 'deny' } });
  expect(await count({ state: 'open', runId })).toBe(1);
  expect(await count({ state: 'closed', runId })).toBe(1);
  expect(await count({ runId })).toBe(2);
  expect(await tickets.find(alice, newest?.id ?? '')).toMatchObject({ closed: { how: 'answered', actor: 'alice' } });
  expect(await tickets.find(stranger, newest?.id ?? '')).toBeUndefined();
});

test('a secret goes to the agent, and to nobody who asks or listens', async () => {
  const secret = 'open sesame';
  const { mailbox, submit, seen, events } = await open(asking({ kind: 'form', text: 'the password?', secret: true }));
  const { runId } = await submit('one');
  const opened = await seen('ticket.opened');
  const id = opened.type === 'ticket.opened' ? opened.ticket.id : '';
  const shown = await mailbox.tickets.decide(caller, id, { answer: { type: 'value', value: secret } });
  await seen('run.finished');
  expect(shown.closed).toMatchObject({ how: 'answered', actor: 'alice' });
  expect(told.at(-1)).toEqual([{ how: 'answered', answer: { type: 'value', value: secret } }]);
  const seenByOthers = [
    shown,
    await mailbox.tickets.find(alice, id),
    await mailbox.tickets.list(alice, {}, all),
    await mailbox.runs.find(alice, runId),
    await events(),
  ];
  expect(JSON.stringify(seenByOthers)).not.toContain(secret);
});

test('an agent that calls may not answer for people', async () => {
  const { mailbox, submit, seen } = await open(asking(approval));
  await submit('one');
  const opened = await seen('ticket.opened');
  const id = opened.type === 'ticket.opened' ? opened.ticket.id : '';
  const robot = { ...caller, door: 'a2a', origin: 'agent' } as const;
  const decided = mailbox.tickets.decide(robot, id, { answer: { type: 'approve' } });
  await expect(decided).rejects.toMatchObject({ code: 'forbidden' });
  expect((await mailbox.tickets.find(alice, id))?.closed).toBeUndefined();
});

test('several questions are answered one by one in any order, or all together with a request', async () => {
  const { mailbox, submit, seen } = await open(asking(approval, { ...approval, text: 'and this?' }));
  await submit('one');
  await seen('run.waiting');
  const { items } = await mailbox.tickets.list(alice, { state: 'open' }, all);
  const answer = { type: 'approve' } as const;
  for (const { id } of items) await mailbox.tickets.decide(caller, id, { answer });
  await seen('run.finished');
  await submit('two');
  await seen('run.waiting', 2);
  const open2 = (await mailbox.tickets.list(alice, { state: 'open' }, all)).items;
  const decisions = open2.map(({ id }) => ({ ticketId: id, answer }));
  const both = await submit('both', { messages: [], decisions });
  expect(both.became).toBe('running');
  await until('the end', async () => (await mailbox.runs.find(alice, both.runId))?.run.status === 'done');
  expect(told.at(-1)).toHaveLength(2);
});
