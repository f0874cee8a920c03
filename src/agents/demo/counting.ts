import type { RunEventBody } from '../../../schemas/run-event.ts';
import { askApproval } from './approval.ts';
import type { Command, Turn } from './command.ts';
import type { Counter } from './counter.ts';
import { say } from './speech.ts';

export function countingCommands(counter: Counter): readonly Command[] {
  return [
    {
      name: '/count',
      takes: '',
      what: 'counts once, outside its journal, and then asks; resuming it does not count again',
      answer: (turn) => count(counter, turn),
    },
  ];
}

async function* count(counter: Counter, { context }: Turn): AsyncGenerator<RunEventBody> {
  // In doubt it asks; run again, it still counts once, because the counter honours the key.
  const number = await context.once('count', ({ idempotencyKey }) => counter.increment(idempotencyKey));
  yield* say(context, 'counted', `I counted, and am number ${number}.`);
  const verdict = await askApproval(context, 'go-on', { text: 'Shall I say where the counter stands?' });
  if (verdict.is === 'approved') {
    yield* say(context, 'answer', `I am still number ${number}; the counter stands at ${await counter.read()}.`);
  } else {
    yield* say(context, 'answer', `I will not say where the counter stands: ${verdict.why}.`);
  }
}
