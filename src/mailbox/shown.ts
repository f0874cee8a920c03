import type { ShownTicket } from '../../schemas/control.ts';
import type { Ticket } from '../../schemas/ticket.ts';

/** A ticket without an answer that is a secret. */
export function showTicket({ closed, ...ticket }: Ticket): ShownTicket {
  if (closed === undefined) return ticket;
  const { decision, ...by } = closed;
  return { ...ticket, closed: { ...by, how: decision.how, decision: ticket.secret ? undefined : decision } };
}
