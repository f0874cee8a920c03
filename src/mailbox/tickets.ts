import type { ShownTicket } from '../../schemas/control.ts';
import type { Principal, ThreadKey, TicketId } from '../../schemas/id.ts';
import type { TicketAnswer } from '../../schemas/activation.ts';
import type { Answer } from '../../schemas/ticket.ts';
import { Fault } from '../fault.ts';
import type { Caller, Page, PageRequest, TicketFilter, Tickets } from '../gateway.ts';
import type { CheckedAnswer } from '../lane/command.ts';
import { problemWith } from './answers.ts';
import { pageOf } from './lists.ts';
import type { Runner } from './runner.ts';
import { showTicket } from './shown.ts';
import type { Store } from './store.ts';

/** Questions of all threads of a scope. */
export class MailboxTickets implements Tickets {
  readonly #store: Store;
  readonly #runner: Runner;

  constructor({ store, runner }: { readonly store: Store; readonly runner: Runner }) {
    this.#store = store;
    this.#runner = runner;
  }

  async find({ scope }: Principal, id: TicketId): Promise<ShownTicket | undefined> {
    const thread = await this.#store.locate(scope, 'ticket', id);
    const ticket = thread === undefined ? undefined : await this.#store.findRecord(thread, 'ticket', id);
    return ticket === undefined ? undefined : showTicket(ticket);
  }

  async list({ scope }: Principal, filter: TicketFilter, page: PageRequest): Promise<Page<ShownTicket>> {
    const { state, runId } = filter;
    const ofRun = runId === undefined ? undefined : await this.#store.locate(scope, 'run', runId);
    if (runId !== undefined && ofRun === undefined) throw new Fault('not-found', `no run has the id ${runId}`);
    const threadId = filter.threadId ?? ofRun?.threadId;
    return pageOf(this.#store, { scope, kind: 'ticket', threadId, label: state }, page, (ticket) => {
      const is = ticket.closed === undefined ? 'open' : 'closed';
      const fits = (state === undefined || state === is) && (runId === undefined || ticket.runId === runId);
      return fits ? showTicket(ticket) : undefined;
    });
  }

  async decide(
    caller: Caller,
    id: TicketId,
    decision: { readonly answer: Answer; readonly decisionId?: string | undefined },
  ): Promise<ShownTicket> {
    const thread = await this.#store.locate(caller.scope, 'ticket', id);
    if (thread === undefined) throw new Fault('not-found', `no question has the id ${id}`);
    const checked = await checkAnswer(this.#store, thread, { ticketId: id, ...decision });
    const { ticket } = await this.#runner.turn(thread, { type: 'decide', decision: checked, by: caller });
    return showTicket(ticket);
  }
}

/** Holds an answer against its question's schema; questions never change once opened. */
export async function checkAnswer(store: Store, thread: ThreadKey, answer: TicketAnswer): Promise<CheckedAnswer> {
  const ticket = await store.findRecord(thread, 'ticket', answer.ticketId);
  return { ...answer, problem: ticket === undefined ? undefined : problemWith(ticket, answer.answer) };
}
