import type { JsonObject } from '../../../schemas/json.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { RunContext } from '../agent.ts';
import { askApproval, type Verdict } from './approval.ts';
import { countOf, type Command, type Turn } from './command.ts';
import { callTool, resultOf, say, textParts } from './speech.ts';

export const toolCommands: readonly Command[] = [
  { name: '/tool', takes: '', what: 'calls a tool of its own and answers with the result', answer: add },
  {
    name: '/approve',
    takes: '[N]',
    what: 'asks for approval of N tool calls at once (default 1)',
    answer(turn, [count = '1']) {
      const calls = countOf(count, 100);
      return calls === undefined ? undefined : approve(turn, calls);
    },
  },
  {
    name: '/frontend',
    takes: 'NAME',
    what: 'calls the tool NAME that the frontend offers; answers when its result comes',
    answer: (turn, [name]) => (name === undefined ? undefined : callFrontend(turn, name)),
  },
];

function* add({ context }: Turn): Generator<RunEventBody> {
  const id = context.id('add');
  yield* callTool({ id, name: 'add', title: 'Add 19 and 23', args: '{"a":19,"b":23}', runBy: 'agent' });
  yield { type: 'tool.updated', id, status: 'in_progress' };
  yield resultOf(context, 'add', 'ok', textParts('42'));
  yield* say(context, 'answer', '19 and 23 are 42.');
}

function* callFrontend({ activation, context }: Turn, name: string): Generator<RunEventBody> {
  const offered = activation.tools.map((tool) => tool.name);
  if (offered.includes(name)) {
    yield* callTool({ id: context.id('frontend'), name, args: '{}', runBy: 'client' });
  } else {
    const others = offered.length === 0 ? 'It offers none.' : `It offers ${offered.join(', ')}.`;
    yield* say(context, 'answer', `Your client does not offer a tool named ${name}. ${others}`);
  }
}

interface Sending {
  readonly key: string;
  readonly number: number;
  readonly args: { to: string; text: string };
}

async function* approve({ context }: Turn, count: number): AsyncGenerator<RunEventBody> {
  const intention = count === 1 ? 'I would like to send a message.' : `I would like to send ${count} messages.`;
  const parentMessageId = yield* say(context, 'intention', intention);
  const sendings = Array.from({ length: count }, (_, index) => sendingOf(index + 1));
  for (const { key, number, args } of sendings) {
    const call = { id: context.id(key), name: 'send_message', title: `Send message ${number}`, parentMessageId };
    yield* callTool({ ...call, args: JSON.stringify(args), runBy: 'agent' });
  }
  const summary: string[] = [];
  for await (const [sending, verdict] of asDecided(context, sendings)) {
    summary[sending.number - 1] = summaryOf(sending.number, verdict);
    yield sent(context, sending, verdict);
  }
  yield* say(context, 'answer', summary.join(' '));
}

function sendingOf(number: number): Sending {
  const args = { to: `person-${number}@example.com`, text: 'Hello from Anyport!' };
  return { key: `send-${number}`, number, args };
}

/** Asks for all at once, each under a key of its own, so that each takes effect when it is decided, in any order. */
async function* asDecided(context: RunContext, sendings: readonly Sending[]): AsyncGenerator<[Sending, Verdict]> {
  const open = new Map(
    sendings.map((sending) => {
      const { key, args } = sending;
      const question = { text: `Send the message to ${args.to}?`, toolCallId: context.id(key), editable: true };
      const decided = askApproval(context, key, question);
      return [sending.number, decided.then((verdict): [Sending, Verdict] => [sending, verdict])];
    }),
  );
  while (open.size > 0) {
    const decided = await Promise.race(open.values());
    open.delete(decided[0].number);
    yield decided;
  }
}

function sent(context: RunContext, { key, args }: Sending, verdict: Verdict): RunEventBody {
  switch (verdict.is) {
    case 'approved': {
      // Edited arguments replace the call's own as a whole.
      const used: JsonObject = verdict.args ?? args;
      return resultOf(context, key, 'ok', textParts(`Pretended to send ${JSON.stringify(used)}`));
    }
    case 'denied':
      return resultOf(context, key, 'denied', textParts(`Not sent: ${verdict.why}`));
    case 'undecided':
      return resultOf(context, key, 'cancelled', textParts(`Not sent: ${verdict.why}`));
  }
}

function summaryOf(number: number, verdict: Verdict): string {
  return verdict.is === 'approved' ? `Message ${number} was sent.` : `Message ${number} was not sent: ${verdict.why}.`;
}
