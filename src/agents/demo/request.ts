import type { Message } from '../../../schemas/message.ts';
import { textOf } from '../../../schemas/part.ts';
import type { Activated, RunContext } from '../agent.ts';

/** What a turn is about. */
export type Request =
  | { readonly is: 'text'; readonly text: string }
  /** The client's results of the calls that the turn before left to it, a sentence for each. */
  | { readonly is: 'tool-results'; readonly results: readonly string[] };

export async function readRequest(activation: Activated, context: RunContext): Promise<Request> {
  const last = activation.messages.at(-1);
  if (last?.role === 'user') return { is: 'text', text: textOf(last.parts) };
  const history: Message[] = [];
  for await (const message of context.history()) history.push(message);
  const results = history.slice(history.findLastIndex((message) => message.role !== 'tool') + 1);
  if (results.length > 0) return { is: 'tool-results', results: results.map((result) => sentenceOf(result, history)) };
  const asked = history.findLast((message) => message.role === 'user');
  return { is: 'text', text: textOf(asked?.parts ?? []) };
}

function sentenceOf(result: Message, history: readonly Message[]): string {
  const calls = history.flatMap((message) => message.toolCalls ?? []);
  const name = calls.findLast((call) => call.id === result.toolCallId)?.name ?? 'a tool';
  return result.error === undefined
    ? `Your ${name} answered: “${textOf(result.parts)}”`
    : `Your ${name} failed: ${result.error}`;
}
