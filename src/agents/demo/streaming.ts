import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Clock } from '../../clock.ts';
import type { RunContext } from '../agent.ts';
import { countOf, type Command, type Turn } from './command.ts';
import { pause } from './pause.ts';
import { say, think } from './speech.ts';

export function streamingCommands(clock: Clock): readonly Command[] {
  return [
    {
      name: '/stream',
      takes: 'N [MS]',
      what: 'streams N pieces of text, MS milliseconds apart (default 0)',
      answer(turn, [count, gapMs = '0']) {
        const pieces = countOf(count, 1_000_000);
        const gap = gapMs === '0' ? 0 : countOf(gapMs, 60_000);
        return pieces === undefined || gap === undefined ? undefined : stream(clock, turn, pieces, gap);
      },
    },
    { name: '/think', takes: '', what: 'reasons, then answers', answer: ({ context }) => reason(context) },
  ];
}

async function* stream(clock: Clock, { context }: Turn, count: number, gapMs: number): AsyncGenerator<RunEventBody> {
  const id = context.id('answer');
  yield { type: 'text.started', id, role: 'assistant' };
  for (let piece = 1; piece <= count; piece++) {
    if (piece > 1 && gapMs > 0) await pause(clock, gapMs, context.signal);
    context.signal.throwIfAborted();
    yield { type: 'text.delta', id, delta: `${piece} ` };
  }
  yield { type: 'text.ended', id };
}

function* reason(context: RunContext): Generator<RunEventBody> {
  yield* think(context, 'thought', 'Six times seven: five sevens are thirty-five, and seven more are forty-two.');
  yield* say(context, 'answer', 'Six times seven is 42.');
}
