import { expect, test } from 'vitest';
import { deferred } from '../../../src/deferred.ts';
import { caller, open, say, scripted } from '../../support/mailbox-fixture.ts';

test(
  'a thread shows the run that is open on it, what that waits for, and that there is none',
  { tags: ['thread-shows-its-open-run', 'waiting-run-shows-its-questions'] },
  async () => {
    const gate = deferred();
    const { mailbox, submit, seen } = await open(
      scripted(async function* (_, context) {
        yield* say(context, 'a', 'so far');
        await gate.promise;
        await context.ask('ok', { kind: 'approval', text: 'May I?' });
      }),
    );
    expect(await mailbox.threads.find(caller, 't')).toBeUndefined();
    const { runId } = await submit('one');
    await seen('text.ended');
    const status = () => mailbox.threads.find(caller, 't');
    expect((await status())?.open).toMatchObject({ runId, phase: 'running', ticketIds: [] });
    gate.resolve();
    await seen('run.waiting');
    const opened = await seen('ticket.opened');
    const ticketId = opened.type === 'ticket.opened' ? opened.ticket.id : '';
    expect((await status())?.open).toMatchObject({ runId, phase: 'waiting', ticketIds: [ticketId] });
    expect(await mailbox.runs.find(caller, runId)).toMatchObject({
      run: { id: runId, status: 'waiting' },
      tickets: [{ id: ticketId, text: 'May I?' }],
    });
    await mailbox.tickets.decide(caller, ticketId, { answer: { type: 'deny' } });
    await seen('run.finished');
    expect(await status()).not.toHaveProperty('open');
    expect(await mailbox.runs.find(caller, runId)).toMatchObject({ run: { status: 'done' }, tickets: [] });
  },
);
