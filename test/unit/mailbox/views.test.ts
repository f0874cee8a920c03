import { expect, test } from 'vitest';
import { emptyView, foldEvent } from '../../../src/events/view.ts';
import { loadView } from '../../../src/mailbox/views.ts';
import { alice, open, say, scripted } from '../../support/mailbox-fixture.ts';

const thread = { scope: alice.scope, threadId: 't' };

test('a view at a cursor is the fold up to it, and a long fold leaves a checkpoint', async () => {
  const { submit, seen, store, events } = await open(
    scripted(async function* (_, context) {
      const id = context.id('a');
      yield { type: 'text.started', id, role: 'assistant' };
      for (let n = 0; n < 700; n++) {
        yield { type: 'text.delta', id, delta: `${n} ` };
        yield { type: 'notice', level: 'info', text: `${n}` };
      }
      yield { type: 'text.ended', id };
      await Promise.resolve();
    }),
  );
  const { runId } = await submit('one');
  const finished = await seen('run.finished');
  const log = await events();
  const firstSeq = log.find((event) => event.type === 'run.started')?.seq ?? 0;
  const folded = (seq: number): ReturnType<typeof emptyView> => {
    const view = emptyView(runId);
    for (const event of log) if (event.seq >= firstSeq && event.seq <= seq) foldEvent(view, event);
    return view;
  };
  for (const seq of [firstSeq + 10, firstSeq + 600, finished.seq, firstSeq + 900, finished.seq]) {
    expect(await loadView(store, thread, { id: runId, firstSeq }, { seq })).toEqual(folded(seq));
  }
  expect((await store.findRecord(thread, 'checkpoint', runId))?.seq).toBe(finished.seq);
});

test('a thread’s view is the path to its run and what that had written by then', async () => {
  const { submit, seen, mailbox } = await open(
    scripted(async function* (activation, context) {
      yield { type: 'state.snapshot', state: { turn: activation.messages.length }, origin: 'agent' };
      yield* say(context, 'a', 'an answer');
    }),
  );
  await submit('one');
  await seen('run.finished');
  const { runId } = await submit('two');
  const last = await seen('run.finished', 2);
  const view = await mailbox.view(alice, 't', runId, last.seq);
  expect(view.messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  expect(view.state).toEqual({ turn: 1 });
  const begun = await mailbox.view(alice, 't', runId, last.seq - 5);
  expect(begun.messages).toHaveLength(3);
});
