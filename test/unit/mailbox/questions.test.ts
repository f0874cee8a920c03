import { expect, test } from 'vitest';
import type { Decision, Question } from '../../../schemas/ticket.ts';
import { textOf } from '../../../schemas/part.ts';
import { deferred } from '../../../src/deferred.ts';
import { readPath } from '../../../src/mailbox/views.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { systemClock } from '../../../src/clock.ts';
import { mortal } from '../../support/crashing-store.ts';
import { caller, open, say, scripted } from '../../support/mailbox-fixture.ts';

const asking = scripted(async function* (_, context) {
  const [decision] = await context.ask('ok', { kind: 'approval', text: 'May I?' });
  yield* say(context, 'a', `${decision?.how}: ${decision?.how === 'answered' ? decision.answer.type : ''}`);
});

test('a run waits for a person and goes on with the answer', async () => {
  const { submit, seen, mailbox, events } = await open(asking);
  await submit('one');
  const opened = await seen('ticket.opened');
  await seen('run.waiting');
  const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
  await mailbox.tickets.decide(caller, ticketId, { answer: { type: 'approve' } });
  await seen('run.finished');
  const text = (await events()).find((event) => event.type === 'text.delta');
  expect(text).toMatchObject({ delta: 'answered: approve' });
});

test(
  'words to a run that waits resume it, and it waits again while its agent does nothing but wait for the answer',
  { tags: 'words-can-answer-a-waiting-run' },
  async () => {
    const { submit, seen, mailbox } = await open(asking, { limits: { maxRunning: 1 } });
    const { runId } = await submit('one');
    const opened = await seen('ticket.opened');
    await seen('run.waiting');
    for (const time of [1, 2]) {
      const words = await submit(`words ${time}`, { whenBusy: 'steer' });
      expect(words).toMatchObject({ became: 'pending', runId });
      expect(await seen('run.resumed', time)).toMatchObject({ cause: 'input' });
      await seen('run.waiting', time + 1);
      expect((await mailbox.runs.find(caller, runId))?.run.status).toBe('waiting');
    }
    const elsewhere = await submit('other', { threadId: 'other' });
    expect(elsewhere.became).toBe('running');
    const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
    await mailbox.tickets.decide(caller, ticketId, { answer: { type: 'approve' } });
    expect(await seen('run.finished')).toMatchObject({ runId, outcome: { type: 'completed' } });
  },
);

test(
  'the first answer wins, the same again is told the same, another is a conflict',
  { tags: 'one-decision-per-question' },
  async () => {
    const { submit, seen, mailbox } = await open(asking);
    await submit('one');
    const opened = await seen('ticket.opened');
    const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
    const decide = (type: 'approve' | 'deny'): Promise<unknown> =>
      mailbox.tickets.decide(caller, ticketId, { answer: { type } });
    const first = await decide('deny');
    expect(await decide('deny')).toEqual(first);
    await expect(decide('approve')).rejects.toMatchObject({ code: 'decision-conflict' });
    await seen('run.finished');
    await expect(decide('approve')).rejects.toMatchObject({ code: 'decision-conflict' });
  },
);

test(
  'an answer that breaks the schema leaves the question open and says why',
  { tags: 'invalid-answer-leaves-it-open' },
  async () => {
    const { submit, seen, mailbox, events } = await open(
      scripted(async function* (_, context) {
        const schema = { type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] };
        const [decision] = await context.ask('form', { kind: 'form', text: 'How old?', schema });
        yield* say(context, 'a', JSON.stringify(decision));
      }),
    );
    await submit('one');
    const opened = await seen('ticket.opened');
    const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
    const wrong = mailbox.tickets.decide(caller, ticketId, { answer: { type: 'value', value: { age: 'old' } } });
    await expect(wrong).rejects.toMatchObject({ code: 'invalid-answer' });
    expect((await events()).some((event) => event.type === 'ticket.closed')).toBe(false);
    await mailbox.tickets.decide(caller, ticketId, { answer: { type: 'value', value: { age: 7 } } });
    await seen('run.finished');
  },
);

test('questions asked side by side make one wait, also when one comes late', async () => {
  const { submit, seen, events, mailbox } = await open(
    scripted(async function* (_, context) {
      const late = new Promise<readonly Decision[]>((resolve, reject) => {
        setTimeout(() => {
          context.ask('c', { kind: 'approval', text: 'c?' }).then(resolve, reject);
        }, 60);
      });
      const busy = context.once('slow', async () => {
        await new Promise((resolve) => setTimeout(resolve, 250));
        return 'ok';
      });
      await Promise.all([
        context.ask('a', { kind: 'approval', text: 'a?' }),
        context.ask('b', { kind: 'approval', text: 'b?' }),
        late,
        busy,
      ]);
      yield* say(context, 'a', 'all');
    }),
  );
  await submit('one');
  const waiting = await seen('run.waiting');
  expect(waiting.type === 'run.waiting' && waiting.ticketIds).toHaveLength(3);
  for (const event of await events()) {
    if (event.type !== 'ticket.opened') continue;
    await mailbox.tickets.decide(caller, event.ticket.id, { answer: { type: 'approve' } });
  }
  await seen('run.finished');
});

test(
  'a question stays open over a restart, and its answer runs the agent again without repeating what was final',
  { tags: 'question-survives-a-restart' },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const agent = scripted(async function* (_, context) {
      yield* say(context, 'before', 'before');
      const [decision] = await context.ask('ok', { kind: 'approval', text: 'May I?' });
      yield* say(context, 'after', decision?.how ?? '');
    });
    const dying = mortal(store);
    const first = await open(agent, { store: dying.store });
    await first.submit('one');
    const opened = await first.seen('ticket.opened');
    await first.seen('run.waiting');
    dying.kill();
    const second = await open(agent, { store });
    const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
    await second.mailbox.tickets.decide(caller, ticketId, { answer: { type: 'approve' } });
    await second.seen('run.finished');
    const types = (await second.events()).map((event) => event.type);
    expect(types.filter((type) => type === 'text.started')).toHaveLength(2);
    expect(types).not.toContain('attempt.discarded');
  },
);

test('an effect that was started and not ended is in doubt after a restart', async () => {
  const store = new MemoryStore({ clock: systemClock });
  let effects = 0;
  const never = deferred<string>();
  const agent = scripted(async function* (_, context) {
    const result = await context.once('charge', () => {
      effects += 1;
      return effects === 1 ? never.promise : Promise.resolve('charged');
    });
    yield* say(context, 'a', result);
  });
  const dying = mortal(store);
  const first = await open(agent, { store: dying.store });
  await first.submit('one');
  await first.seen('run.started');
  while (effects === 0) await new Promise(setImmediate);
  dying.kill();
  const second = await open(agent, { store });
  const opened = await second.seen('ticket.opened');
  expect(effects).toBe(1);
  const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
  await second.mailbox.tickets.decide(caller, ticketId, { answer: { type: 'option', optionId: 'repeat' } });
  await second.seen('run.finished');
  expect(effects).toBe(2);
});

test('words that come along with an answer are in the agent’s history, and on the path after the run', async () => {
  const told: string[] = [];
  const { submit, seen, store } = await open(
    scripted(async function* (_, context) {
      yield* say(context, 'before', 'May I?');
      await context.ask('ok', { kind: 'approval', text: 'May I?' });
      for await (const message of context.history()) told.push(textOf(message.parts));
      yield* say(context, 'after', 'done');
    }),
  );
  await submit('one');
  const opened = await seen('ticket.opened');
  await seen('run.waiting');
  const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
  await submit('but quickly', { decisions: [{ ticketId, answer: { type: 'approve' } }] });
  await seen('run.finished');
  expect(told).toEqual(['one', 'May I?', 'but quickly']);
  const lane = await store.findLane({ scope: 'local', threadId: 't' });
  const path = await readPath(store, { scope: 'local', threadId: 't' }, lane?.headId);
  expect(path.map((message) => textOf(message.parts))).toEqual(['one', 'May I?', 'but quickly', 'done']);
});

test.each<[string, unknown]>([
  ['never expires by a number that is none', { kind: 'approval', text: 'ok?', expiresInMs: Number.POSITIVE_INFINITY }],
  ['has expired before it is asked', { kind: 'approval', text: 'ok?', expiresInMs: -1 }],
  ['is of an unknown kind', { kind: 'riddle', text: 'ok?' }],
  ['has a text for options', { kind: 'choice', text: 'ok?', options: 'abc' }],
  ['is nothing', undefined],
])('a question that %s is not asked, and fails its run with the reason', async (_, question) => {
  const agent = scripted(async function* (__, context) {
    yield* say(context, 'a', JSON.stringify(await context.ask('key', question as Question)));
  });
  const { submit, seen, events } = await open(agent);
  await submit('one');
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'failed', fault: { code: 'agent-protocol' } } });
  expect((await events()).some(({ type }) => type === 'ticket.opened')).toBe(false);
});

test('a question is open, whatever its agent says beside it', async () => {
  const closed = { decision: { how: 'answered', answer: { type: 'approve' } }, atMs: 1 };
  const agent = scripted(async function* (_, context) {
    const question = { kind: 'approval', text: 'ok?', closed, runId: 'other' } as Question;
    yield* say(context, 'a', JSON.stringify(await context.ask('key', question)));
  });
  const { submit, seen } = await open(agent);
  const { runId } = await submit('one');
  expect(await seen('run.waiting')).toMatchObject({ runId });
  expect(await seen('ticket.opened')).not.toMatchObject({ ticket: { closed } });
});
