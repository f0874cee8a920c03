import type { RunEventBody } from '../../../schemas/run-event.ts';
import { Fault } from '../../fault.ts';
import type { RunContext } from '../agent.ts';
import { countOf, type Answering, type Command, type Turn } from './command.ts';
import { say } from './speech.ts';

export const failingCommands: readonly Command[] = [
  {
    name: '/fail',
    takes: 'transient K | permanent',
    what: 'fails K times and then answers, or fails for good',
    answer: (turn, [how, count]) => fail(turn, how, countOf(count, 1000)),
  },
  { name: '/crash', takes: '', what: 'throws something unexpected', answer: crash },
  { name: '/hang', takes: '', what: 'ignores for a minute that it is told to stop', answer: hang },
];

function fail(turn: Turn, how: string | undefined, times: number | undefined): Answering | undefined {
  if (how === 'permanent') return failForGood(turn);
  return how === 'transient' && times !== undefined ? failAtFirst(turn, times) : undefined;
}

function* failForGood({ context }: Turn): Generator<RunEventBody> {
  yield* begin(context, 'This will not work');
  throw new Fault('agent-refused', 'the demo agent was asked to fail for good');
}

function* failAtFirst({ context }: Turn, times: number): Generator<RunEventBody> {
  const { attempt } = context;
  if (attempt <= times) {
    yield* begin(context, `Attempt ${attempt} will not work`);
    throw new Fault('agent-failed', `the demo agent was asked to fail ${times} times, and this is attempt ${attempt}`);
  }
  yield* say(context, 'answer', `Attempt ${attempt} works.`);
}

function* crash({ context }: Turn): Generator<RunEventBody> {
  yield* begin(context, 'This will crash');
  throw new TypeError('the demo agent was asked to crash');
}

/** A message that is left open: what a failed attempt leaves behind. */
function* begin(context: RunContext, delta: string): Generator<RunEventBody> {
  const id = context.id('answer');
  yield { type: 'text.started', id, role: 'assistant' };
  yield { type: 'text.delta', id, delta };
}

async function* hang({ context }: Turn): AsyncGenerator<RunEventBody> {
  yield* say(context, 'warning', 'I will not listen for a minute.');
  await new Promise((resolve) => {
    // Not by the clock port, whose timers keep the process alive: this agent must not outlive its gateway.
    setTimeout(resolve, 60_000).unref();
  });
  yield* say(context, 'answer', 'I am listening again.');
}
