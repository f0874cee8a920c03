import * as z from 'zod';
import { ShownTicket, TicketDecision } from '../../../schemas/control.ts';
import { RunId, ThreadId, TicketId } from '../../../schemas/id.ts';
import { type Endpoint, endpoint, reply } from './endpoint.ts';
import { pageOf, paging, present } from './parameters.ts';

const tag = 'Tickets';
const ticketPath = z.strictObject({ ticketId: TicketId.describe('The question.') });

export const ticketEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'get',
    path: '/v1/tickets',
    operationId: 'listTickets',
    tag,
    summary: 'Lists questions to people, newest first.',
    query: z.strictObject({
      state: z.enum(['open', 'closed', 'all']).default('open').describe('`open` if absent.'),
      threadId: ThreadId.optional().describe('Only those of this thread.'),
      runId: RunId.optional().describe('Only those of this run.'),
      ...paging,
    }),
    answers: { 200: { what: 'A page of questions.', body: pageOf(ShownTicket) } },
    faults: ['not-found'],
    async handle({ gateway, caller, query: { state, threadId, runId, ...page } }) {
      const filter = { state: state === 'all' ? undefined : state, threadId, runId };
      return reply(200, await gateway.tickets.list(caller, filter, page));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/tickets/{ticketId}',
    operationId: 'getTicket',
    tag,
    summary: 'Shows one question, and how it was closed.',
    params: ticketPath,
    answers: { 200: { what: 'The question.', body: ShownTicket } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { ticketId } }) {
      return reply(200, present(await gateway.tickets.find(caller, ticketId), 'question', ticketId));
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/tickets/{ticketId}/decision',
    operationId: 'decideTicket',
    tag,
    summary: 'Answers a question.',
    description: 'The first answer wins. The same again, or the same `decisionId`, is a no-op with the first outcome.',
    params: ticketPath,
    body: TicketDecision,
    answers: { 200: { what: 'The question, closed.', body: ShownTicket } },
    faults: ['not-found', 'forbidden', 'invalid-answer', 'decision-conflict', 'run-ended'],
    async handle({ gateway, caller, params: { ticketId }, body }) {
      return reply(200, await gateway.tickets.decide(caller, ticketId, body));
    },
  }),
];
