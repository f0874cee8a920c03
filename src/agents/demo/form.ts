import type { JsonObject } from '../../../schemas/json.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Decision } from '../../../schemas/ticket.ts';
import type { Command, Turn } from './command.ts';
import { say } from './speech.ts';

export const formCommands: readonly Command[] = [
  { name: '/form', takes: '', what: 'asks for a name and an age, and answers with them', answer: fillIn },
];

const schema: JsonObject = {
  type: 'object',
  properties: {
    name: { type: 'string', title: 'Name', minLength: 1 },
    age: { type: 'integer', title: 'Age', minimum: 0 },
  },
  required: ['name', 'age'],
  additionalProperties: false,
};

async function* fillIn({ context }: Turn): AsyncGenerator<RunEventBody> {
  const [decision] = await context.ask('person', { kind: 'form', text: 'Who are you?', schema });
  yield* say(context, 'answer', greetingOf(decision));
}

function greetingOf(decision: Decision | undefined): string {
  if (decision?.how !== 'answered' || decision.answer.type !== 'value') return 'You did not fill in the form.';
  // An answer reaches the agent only when it is valid by the schema.
  const { name, age } = decision.answer.value as { name: string; age: number };
  return `Hello ${name}, you are ${age} years old.`;
}
