import { expect, test } from 'vitest';
import { textOf } from '../../../schemas/part.ts';
import { alice, caller, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { deferred } from '../../../src/deferred.ts';

/** An agent that takes input when it is let on, and says what it took. */
function stepping() {
  const step = deferred();
  const agent = scripted(async function* (_, context) {
    await step.promise;
    const taken = await context.input();
    yield* say(context, 'answer', taken.map((message) => textOf(message.parts)).join(', '));
  });
  return { agent, go: step.resolve };
}

function text(said: string) {
  return { messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text: said }] }] };
}

test(
  'what waits is listed in the order in which it is taken, edited, reordered and taken back',
  { tags: 'waiting-input-can-be-changed' },
  async () => {
    const { agent, go } = stepping();
    const { mailbox, submit, done, seen } = await open(agent);
    await submit('first');
    const { queue } = mailbox;
    expect((await submit('steered', { whenBusy: 'steer' })).became).toBe('pending');
    expect((await submit('also', { whenBusy: 'steer' })).became).toBe('pending');
    expect((await submit('later')).became).toBe('queued');
    expect((await submit('never')).became).toBe('queued');
    const names = async (): Promise<string[]> => (await queue.list(alice, 't')).map(({ activation }) => activation.key);
    expect(await names()).toEqual(['steered', 'also', 'later', 'never']);
    await queue.edit(caller, 't', 'control:later', { revision: 1, ...text('much later') });
    const stale = queue.edit(caller, 't', 'control:later', { revision: 1, ...text('too late') });
    await expect(stale).rejects.toMatchObject({ code: 'revision-conflict' });
    const ordered = await queue.reorder(caller, 't', ['control:also', 'control:steered']);
    expect(ordered.map(({ activation }) => activation.key)).toEqual(['also', 'steered', 'later', 'never']);
    expect((await queue.retract(caller, 't', 'control:never')).state.is).toBe('retracted');
    expect(await names()).toEqual(['also', 'steered', 'later']);
    go();
    await done('later');
    const said = await seen('text.delta');
    expect(said).toMatchObject({ delta: 'also, steered' });
    const { items } = await mailbox.threads.messages(alice, 't', undefined, { limit: 10 });
    expect(items.map((message) => textOf(message.parts))).toContain('much later');
    await expect(queue.retract(caller, 't', 'control:later')).rejects.toMatchObject({ code: 'input-taken' });
    expect(await queue.list(alice, 't')).toEqual([]);
  },
);

test('nobody touches what another one queued, and in another scope there is nothing', async () => {
  const { agent, go } = stepping();
  const { mailbox, submit } = await open(agent);
  await submit('first');
  await submit('mine');
  const bob = { ...caller, actor: 'bob' };
  const { queue } = mailbox;
  await expect(queue.retract(bob, 't', 'control:mine')).rejects.toMatchObject({ code: 'forbidden' });
  const stranger = { ...caller, scope: 'elsewhere' };
  await expect(queue.list(stranger, 't')).rejects.toMatchObject({ code: 'not-found' });
  await expect(queue.retract(stranger, 't', 'control:mine')).rejects.toMatchObject({ code: 'not-found' });
  expect(await queue.list(alice, 't')).toHaveLength(1);
  go();
});

test('all queues together are limited', async () => {
  const { agent, go } = stepping();
  const { submit } = await open(agent, { limits: { queueInAll: 2 } });
  await submit('a', { threadId: 'a' });
  await submit('a2', { threadId: 'a' });
  await submit('b', { threadId: 'b' });
  await submit('b2', { threadId: 'b' });
  await expect(submit('b3', { threadId: 'b' })).rejects.toMatchObject({ code: 'too-many', retryable: true });
  expect((await submit('c', { threadId: 'c' })).became).toBe('running');
  go();
});
