import type { JsonObject } from '../../../schemas/json.ts';
import type { PlanEntry, RunEventBody } from '../../../schemas/run-event.ts';
import type { Command, Turn } from './command.ts';
import { say, textParts } from './speech.ts';

export const sharingCommands: readonly Command[] = [
  { name: '/plan', takes: '', what: 'shows a plan of three entries that progresses', answer: followPlan },
  { name: '/state', takes: '', what: 'shares its state: a snapshot, then changes to it', answer: shareState },
  { name: '/artifact', takes: '', what: 'hands over a file, in chunks', answer: handOver },
];

const tasks = ['Read the request', 'Do the work', 'Report back'];

function* followPlan({ context }: Turn): Generator<RunEventBody> {
  const planId = context.id('plan');
  for (let done = 0; done <= tasks.length; done++) yield { type: 'plan', planId, entries: entriesAfter(done) };
  yield* say(context, 'answer', 'All three entries of the plan are completed.');
}

function entriesAfter(done: number): PlanEntry[] {
  return tasks.map((content, index) => ({
    content,
    priority: index === 1 ? 'high' : 'medium',
    status: index < done ? 'completed' : index === done ? 'in_progress' : 'pending',
  }));
}

/** Changes only what is its own: the rest of the thread's state belongs to the frontend. */
function* shareState({ activation, context }: Turn): Generator<RunEventBody> {
  const demo = { status: 'working', steps: [] };
  yield { type: 'state.snapshot', state: { ...objectOf(activation.state), demo }, origin: 'agent' };
  for (const value of ['first', 'second']) {
    yield { type: 'state.delta', patch: [{ op: 'add', path: '/demo/steps/-', value }], origin: 'agent' };
  }
  yield { type: 'state.delta', patch: [{ op: 'replace', path: '/demo/status', value: 'done' }], origin: 'agent' };
  yield* say(context, 'answer', 'The shared state says that two steps are done.');
}

function objectOf(state: Turn['activation']['state']): JsonObject {
  return typeof state === 'object' && state !== null && !Array.isArray(state) ? state : {};
}

function* handOver({ context }: Turn): Generator<RunEventBody> {
  const id = context.id('file');
  const chunks = ['# Report\n', '\nEverything is in order.\n', '\nSigned: the demo agent\n'];
  for (const [index, chunk] of chunks.entries()) {
    const about = index === 0 ? { name: 'report.md', description: 'A report in three chunks' } : {};
    const last = index === chunks.length - 1;
    yield { type: 'artifact', id, ...about, parts: textParts(chunk), append: index > 0, last };
  }
  yield* say(context, 'answer', 'I handed over report.md in three chunks.');
}
