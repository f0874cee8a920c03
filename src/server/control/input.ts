import * as z from 'zod';
import { QueueEdit, QueueEntry, QueueOrder } from '../../../schemas/control.ts';
import { type Endpoint, endpoint, reply } from './endpoint.ts';
import { activationPath, threadPath } from './parameters.ts';
import { showActivation, ShownActivation } from './shown.ts';

const tag = 'Input';
const Entries = z.object({ items: z.array(QueueEntry) });

/** What waits: queued and pending input that no run has taken. */
export const inputEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'get',
    path: '/v1/threads/{threadId}/input',
    operationId: 'listInput',
    tag,
    summary: 'Lists what waits on a thread, in the order in which it will be taken.',
    params: threadPath,
    answers: { 200: { what: 'All of it.', body: Entries } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { threadId } }) {
      const items = await gateway.queue.list(caller, threadId);
      return reply(200, { items });
    },
  }),
  endpoint({
    method: 'put',
    path: '/v1/threads/{threadId}/input',
    operationId: 'reorderInput',
    tag,
    summary: 'Puts some of what waits in another order.',
    description: 'They share out the places that they hold; all others keep theirs.',
    params: threadPath,
    body: QueueOrder,
    answers: { 200: { what: 'All that waits.', body: Entries } },
    faults: ['not-found', 'forbidden', 'input-taken'],
    async handle({ gateway, caller, params: { threadId }, body: { activationIds } }) {
      const items = await gateway.queue.reorder(caller, threadId, activationIds);
      return reply(200, { items });
    },
  }),
  endpoint({
    method: 'patch',
    path: '/v1/threads/{threadId}/input/{activationId}',
    operationId: 'editInput',
    tag,
    summary: 'Changes what waits.',
    params: activationPath,
    body: QueueEdit,
    answers: { 200: { what: 'How it stands.', body: ShownActivation } },
    faults: ['not-found', 'forbidden', 'input-taken', 'revision-conflict'],
    async handle({ gateway, caller, params: { threadId, activationId }, body }) {
      return reply(200, showActivation(await gateway.queue.edit(caller, threadId, activationId, body)));
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/threads/{threadId}/input/{activationId}',
    operationId: 'retractInput',
    tag,
    summary: 'Takes back what waits.',
    params: activationPath,
    answers: { 200: { what: 'How it stands: retracted.', body: ShownActivation } },
    faults: ['not-found', 'forbidden', 'input-taken'],
    async handle({ gateway, caller, params: { threadId, activationId } }) {
      return reply(200, showActivation(await gateway.queue.retract(caller, threadId, activationId)));
    },
  }),
];
