import type { Message } from '../../../schemas/message.ts';
import { textOf } from '../../../schemas/part.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Clock } from '../../clock.ts';
import { countOf, type Command, type Turn } from './command.ts';
import { pause } from './pause.ts';
import { say } from './speech.ts';

const stepMs = 200;

export function steeringCommands(clock: Clock): readonly Command[] {
  return [
    {
      name: '/steer',
      takes: 'N',
      what: 'takes N slow steps; between them it takes new input and says which',
      answer(turn, [count]) {
        const steps = countOf(count, 10_000);
        return steps === undefined ? undefined : takeSteps(clock, turn, steps);
      },
    },
  ];
}

/** Each step is a message and a boundary of its own: a later attempt does not show it again. */
async function* takeSteps(clock: Clock, { context }: Turn, count: number): AsyncGenerator<RunEventBody> {
  for (let step = 1; step <= count; step++) {
    const name = `step ${step} of ${count}`;
    yield { type: 'step.started', name };
    await pause(clock, stepMs, context.signal);
    yield* say(context, `step-${step}`, `This was ${name}.`);
    yield { type: 'step.finished', name };
    await context.checkpoint();
    const taken = await context.input();
    if (taken.length > 0) yield* say(context, `taken-${step}`, `I took ${quoteAll(taken)} after ${name}.`);
  }
  yield* say(context, 'answer', `All steps are done: ${count}.`);
}

function quoteAll(messages: readonly Message[]): string {
  return messages.map((message) => `“${textOf(message.parts)}”`).join(' and ');
}
