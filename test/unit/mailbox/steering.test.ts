import { expect, test } from 'vitest';
import type { MessageInput } from '../../../schemas/message.ts';
import { textOf } from '../../../schemas/part.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Agent } from '../../../src/agents/agent.ts';
import { deferred } from '../../../src/deferred.ts';
import { alice, caller, open, scripted } from '../../support/mailbox-fixture.ts';

function message(id: string, role: MessageInput['role'], text: string): MessageInput {
  return { id, role, parts: [{ type: 'text', text }] };
}

/** Takes input in the middle of a text of a known id, when it is told to go on. */
function writer(goesOn: Promise<void>, end: () => AsyncIterable<RunEventBody>): Agent {
  return scripted(async function* (_, context) {
    const id = 'answer';
    yield { type: 'text.started', id, role: 'assistant' };
    yield { type: 'text.delta', id, delta: 'before ' };
    await goesOn;
    const taken = await context.input();
    yield { type: 'text.delta', id, delta: `and after ${taken.length}` };
    yield* end();
    yield { type: 'text.ended', id };
  });
}

async function* nothing(): AsyncGenerator<RunEventBody> {}

/** A client's whole copy with what it has seen of the answer, and a client that calls its message as the answer is called. */
const sends = {
  'a copy of the text that is being written': [
    message('answer', 'assistant', 'before '),
    message('more', 'user', 'two'),
  ],
  'a message under the id of the text that is being written': [message('answer', 'user', 'two')],
};

for (const [what, messages] of Object.entries(sends)) {
  test(`steered in with ${what}, a run keeps all that it writes`, async () => {
    const going = deferred();
    const { mailbox, submit, seen, events } = await open(writer(going.promise, nothing));
    const messagesAre = 'whole';
    const first = message('one', 'user', 'one');
    const { runId } = await submit('one', { messages: [first], messagesAre });
    await seen('text.delta');
    await submit('two', { messages: [first, ...messages], messagesAre, whenBusy: 'steer' });
    going.resolve();
    await seen('run.finished');
    const { messages: kept } = await mailbox.viewAt(alice, 't', undefined);
    const said = ['user: one', 'assistant: before and after 1', 'user: two'];
    expect(kept.map(({ role, parts }) => `${role}: ${textOf(parts)}`)).toEqual(said);
    for (const { seq } of (await events()).slice(3)) await mailbox.view(alice, 't', runId, seq);
  });

  test(`steered in with ${what}, a run whose process died can be stopped`, async () => {
    const going = deferred();
    const hanging = writer(going.promise, () => ({
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    }));
    const first = await open(hanging);
    const { runId } = await first.submit('one');
    await first.seen('text.delta');
    await first.submit('two', { messages, messagesAre: 'whole', whenBusy: 'steer' });
    going.resolve();
    await first.seen('text.delta', 2);
    const next = await open(hanging, { store: first.store, limits: { graceMs: 0 } });
    await next.mailbox.runs.cancel(caller, runId);
    expect(await next.seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled' } });
  });
}
