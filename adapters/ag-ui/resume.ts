// How answers to interrupts become decisions on tickets. https://docs.ag-ui.com/concepts/interrupts
import type { TicketAnswer } from '../../schemas/activation.ts';
import type { Json } from '../../schemas/json.ts';
import type { Answer, Ticket } from '../../schemas/ticket.ts';
import type { Decoded, ResumeEntry } from './decode.ts';
import { isObject } from './field.ts';

type FindTicket = (ticketId: string) => Promise<Ticket | undefined>;

/** More keys than this are no map of answers by ticket. */
const maxLegacyAnswers = 64;

/** What a payload says to this ticket. Whether it may, and fits, is not decided here. */
export function answerOf(ticket: Ticket, payload: Json | undefined): Answer {
  switch (ticket.kind) {
    case 'approval':
      return approvalOf(payload);
    case 'choice': {
      const optionId = isObject(payload) ? payload['optionId'] : payload;
      return typeof optionId === 'string' ? { type: 'option', optionId } : { type: 'value', value: payload ?? null };
    }
    case 'form':
    case 'sign-in':
    case 'url':
      return { type: 'value', value: payload ?? null };
  }
}

/** Only an explicit approval is one: everything else denies, and so do edited arguments that are none. */
function approvalOf(payload: Json | undefined): Answer {
  if (!isObject(payload) || payload['approved'] !== true) return { type: 'deny' };
  const args = payload['editedArgs'];
  if (args === undefined) return { type: 'approve' };
  return isObject(args) ? { type: 'approve', args } : { type: 'deny' };
}

/**
 * The decisions that a request makes. An entry that names no ticket of the thread is ignored with a warning, as the
 * specification asks.
 */
export async function decide(
  { resume, legacyResume }: Pick<Decoded, 'resume' | 'legacyResume'>,
  findTicket: FindTicket,
): Promise<{ readonly decisions: TicketAnswer[]; readonly warnings: readonly string[] }> {
  const entries = resume.length > 0 ? resume : legacyEntries(legacyResume);
  const decisions: TicketAnswer[] = [];
  const warnings: string[] = [];
  const tickets = await Promise.all(entries.map((entry) => findTicket(entry.interruptId)));
  for (const [index, { interruptId, status, payload }] of entries.entries()) {
    const ticket = tickets[index];
    if (ticket === undefined) {
      warnings.push(`no open interrupt has the id ${JSON.stringify(interruptId.slice(0, 512))}; its answer is ignored`);
    } else {
      const answer: Answer = status === 'cancelled' ? { type: 'dismiss' } : answerOf(ticket, payload);
      decisions.push({ ticketId: ticket.id, answer });
    }
  }
  return { decisions, warnings };
}

/** LangGraph's map of answers by interrupt. A bare value does not say which question it answers. */
function legacyEntries(resume: Json | undefined): ResumeEntry[] {
  if (!isObject(resume)) return [];
  const entries = Object.entries(resume);
  if (entries.length > maxLegacyAnswers) return [];
  return entries.map(([interruptId, payload]) => ({ interruptId, status: 'resolved', payload }));
}
