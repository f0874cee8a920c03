import { expect, test } from 'vitest';
import { Fault } from '../../../src/fault.ts';
import { caller, type Fixture, open, say, scripted } from '../../support/mailbox-fixture.ts';

const thread = { scope: 'local', threadId: 't' };
const stranger = { ...caller, scope: 'other' };

const asking = scripted(async function* (_, context) {
  await context.ask('ok', { kind: 'approval', text: 'May I?' });
  yield* say(context, 'a', 'done');
});

/** How each way to reach into a thread is refused. */
async function refusals({ mailbox }: Fixture, by: typeof caller, ids: readonly string[]): Promise<unknown[]> {
  const [threadId = '', runId = '', ticketId = '', activationId = ''] = ids;
  const calls = [
    () => mailbox.tickets.decide(by, ticketId, { answer: { type: 'approve' } }),
    () => mailbox.runs.cancel(by, runId),
    () => mailbox.runs.cancelActivation(by, threadId, activationId),
    () => mailbox.threads.cancel(by, threadId),
    () => mailbox.threads.interrupt(by, threadId),
    () => mailbox.queue.retract(by, threadId, activationId),
  ];
  return Promise.all(
    calls.map(async (call) =>
      call().then(
        () => 'done',
        (error: unknown) => Fault.from(error).code,
      ),
    ),
  );
}

test(
  'to another scope, and where there is none, no thread can be decided on, cancelled or interrupted',
  { tags: ['unknown-thread-is-not-found', 'unknown-question-is-not-found', 'cancel-reaches-what-it-names'] },
  async () => {
    const fixture = await open(asking);
    const { submit, seen, events, store } = fixture;
    const { runId, activation } = await submit('one');
    const opened = await seen('ticket.opened');
    await seen('run.waiting');
    const ids = ['t', runId, opened.type === 'ticket.opened' ? opened.ticket.id : '', activation.id];
    const before = [await events(), await store.findLane(thread)];
    const notThere = ['not-found', 'not-found', 'not-found', 'not-found', 'not-found', 'not-found'];
    expect(await refusals(fixture, stranger, ids)).toEqual(notThere);
    expect(await refusals(fixture, caller, ['nowhere', 'run_none', 'tkt_none', 'control:none'])).toEqual(notThere);
    expect([await events(), await store.findLane(thread)]).toEqual(before);
    expect(await store.listThreads('other', '', 10)).toEqual([]);
  },
);
