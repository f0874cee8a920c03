// Answers to questions: data parts that name their question, and text where there is no doubt what it means. Approval is
// never read out of text: https://a2a-protocol.org/v1.0.1/specification/#76-in-task-authorization
import * as z from 'zod';
import type { TicketAnswer } from '../../schemas/activation.ts';
import type { ShownTicket } from '../../schemas/control.ts';
import { Json, JsonObject } from '../../schemas/json.ts';
import { type Part, textOf } from '../../schemas/part.ts';
import { Answer } from '../../schemas/ticket.ts';
import { answerInWords } from '../../src/answer-in-words.ts';
import { Fault } from '../../src/fault.ts';

/** What a message says to the open questions. */
export type Reply =
  | { readonly is: 'answers'; readonly decisions: readonly TicketAnswer[]; readonly rest: readonly Part[] }
  /** Words that answer none of them for certain. */
  | { readonly is: 'unclear'; readonly why: string };

const Said = z.looseObject({
  ticketId: z.string().optional(),
  decisionId: z.string().optional(),
  approved: z.boolean().optional(),
  note: z.string().optional(),
  args: JsonObject.optional(),
  optionId: z.string().optional(),
  value: Json.optional(),
  dismissed: z.literal(true).optional(),
  answer: Answer.optional(),
});

export function decodeReply(parts: readonly Part[], tickets: readonly ShownTicket[]): Reply {
  const read = parts.map((part, index) => ({ part, decision: decodeData(part, index, tickets) }));
  const decisions = read.flatMap(({ decision }) => (decision === undefined ? [] : [decision]));
  const rest = read.filter(({ decision }) => decision === undefined).map(({ part }) => part);
  if (decisions.length > 0) return { is: 'answers', decisions, rest: rest.filter(saysSomething) };
  const [ticket, ...others] = tickets;
  if (ticket === undefined) return { is: 'unclear', why: 'No question is open.' };
  if (others.length > 0) {
    return { is: 'unclear', why: 'Several questions are open: answer each by a data part with its ticketId.' };
  }
  const answer = answerInWords(textOf(parts).trim(), ticket);
  if (answer === undefined) return { is: 'unclear', why: howToAnswer(ticket) };
  return {
    is: 'answers',
    decisions: [{ ticketId: ticket.id, answer }],
    rest: parts.filter((one) => one.type !== 'text'),
  };
}

function saysSomething(part: Part): boolean {
  return part.type !== 'text' || part.text.trim() !== '';
}

/** A data part is an answer when it names a question, or when there is but one. */
function decodeData(part: Part, index: number, tickets: readonly ShownTicket[]): TicketAnswer | undefined {
  if (part.type !== 'data') return undefined;
  const path = `message.parts[${index}].data`;
  const [only, ...others] = tickets;
  const said = Said.safeParse(part.json);
  const named = said.success ? said.data.ticketId : undefined;
  const ticketId = named ?? (others.length === 0 ? only?.id : undefined);
  if (ticketId === undefined) return undefined;
  const answer = said.success ? answerOf(said.data) : undefined;
  if (answer !== undefined) {
    const decisionId = said.success ? said.data.decisionId : undefined;
    return { ticketId, answer, ...(decisionId === undefined ? {} : { decisionId }) };
  }
  // Where nothing is asked, it may be a name of the caller's own.
  if (named !== undefined && tickets.length > 0) {
    throw new Fault('invalid-request', `${path} answers with approved, optionId, value, dismissed or answer`, { path });
  }
  // The data itself, for a form that is the only question.
  return only?.kind === 'form' ? { ticketId, answer: { type: 'value', value: part.json } } : undefined;
}

function answerOf({
  approved,
  note,
  args,
  optionId,
  value,
  dismissed,
  answer,
}: z.infer<typeof Said>): Answer | undefined {
  if (answer !== undefined) return answer;
  const noted = note === undefined ? {} : { note };
  const edited = args === undefined ? {} : { args };
  if (approved === true) return { type: 'approve', ...edited, ...noted };
  if (approved === false) return { type: 'deny', ...noted };
  if (optionId !== undefined) return { type: 'option', optionId, ...edited };
  if (value !== undefined) return { type: 'value', value };
  return dismissed === true ? { type: 'dismiss' } : undefined;
}

function howToAnswer(ticket: ShownTicket): string {
  switch (ticket.kind) {
    case 'approval':
      return 'An approval must be explicit: a data part with this ticketId and approved: true or false.';
    case 'choice':
      return `Choose one of: ${ticket.options.map((option) => option.name).join(', ')}.`;
    case 'form':
      return 'Answer by a data part with this ticketId and a value that fits the schema.';
    case 'sign-in':
    case 'url':
      return 'This happens elsewhere: follow it there, or dismiss it by a data part with this ticketId.';
  }
}
