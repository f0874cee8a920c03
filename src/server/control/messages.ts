import * as z from 'zod';
import { MessageId } from '../../../schemas/id.ts';
import { Message } from '../../../schemas/message.ts';
import { showTicket } from '../../mailbox/shown.ts';
import { assertLog, CursorParameter, encodeCursor } from './cursor.ts';
import { type Endpoint, endpoint, reply } from './endpoint.ts';
import { pageOf, paging, threadPath } from './parameters.ts';
import { View } from './shown.ts';

const tag = 'Messages';

export const messageEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'get',
    path: '/v1/threads/{threadId}/messages',
    operationId: 'listMessages',
    tag,
    summary: 'Lists the messages of one branch of a thread, newest first.',
    params: threadPath,
    query: z.strictObject({
      head: MessageId.optional().describe('The message that the branch ends in; absent: the thread’s head.'),
      ...paging,
    }),
    answers: { 200: { what: 'A page of messages.', body: pageOf(Message) } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { threadId }, query: { head, ...page } }) {
      return reply(200, await gateway.threads.messages(caller, threadId, head, page));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/threads/{threadId}/view',
    operationId: 'viewThread',
    tag,
    summary: 'Shows a thread as of one event, with what is being written.',
    description: 'Whoever follows its events from the `cursor` in the answer misses nothing and sees nothing twice.',
    params: threadPath,
    query: z.strictObject({ cursor: CursorParameter.optional().describe('As of when; absent: as it is now.') }),
    answers: { 200: { what: 'The thread at that moment.', body: View } },
    faults: ['not-found', 'cursor-expired'],
    async handle({ gateway, caller, params: { threadId }, query: { cursor } }) {
      const { logId, seq, runId, messages, state, tickets } = await gateway.viewAt(caller, threadId, cursor?.seq);
      if (cursor !== undefined) assertLog(cursor, logId);
      const shown = { runId, messages: [...messages], state, tickets: tickets.map(showTicket) };
      return reply(200, { cursor: encodeCursor({ logId, seq }), ...shown });
    },
  }),
];
