import type { JsonObject } from '../../../schemas/json.ts';
import type { Decision, Question, TicketOption } from '../../../schemas/ticket.ts';
import type { RunContext } from '../agent.ts';

/** What became of a request for approval. Nothing but an explicit approval approves. */
export type Verdict =
  | { readonly is: 'approved'; readonly args: JsonObject | undefined }
  | { readonly is: 'denied'; readonly why: string }
  | { readonly is: 'undecided'; readonly why: string };

const options: TicketOption[] = [
  { id: 'allow', name: 'Allow', kind: 'allow-once' },
  { id: 'deny', name: 'Deny', kind: 'reject-once' },
];

export async function askApproval(
  context: RunContext,
  key: string,
  question: Omit<Question, 'kind' | 'options'>,
): Promise<Verdict> {
  const [decision] = await context.ask(key, { kind: 'approval', options, ...question });
  return decision === undefined ? { is: 'undecided', why: 'it was not decided' } : verdictOf(decision);
}

function verdictOf(decision: Decision): Verdict {
  if (decision.how !== 'answered') return { is: 'undecided', why: `the question was ${decision.how}` };
  const { answer } = decision;
  switch (answer.type) {
    case 'approve':
      return { is: 'approved', args: answer.args };
    case 'option':
      return answer.optionId === 'allow' ? { is: 'approved', args: answer.args } : denied(undefined);
    case 'deny':
      return denied(answer.note);
    case 'value':
    case 'dismiss':
      return { is: 'undecided', why: 'it was neither approved nor denied' };
  }
}

function denied(note: string | undefined): Verdict {
  return { is: 'denied', why: note === undefined ? 'it was denied' : `it was denied (${note})` };
}
