import * as z from 'zod';
import { DeadWebhook, DeadWebhookId } from '../../../schemas/subscription.ts';
import { type Endpoint, endpoint, nothing, reply } from './endpoint.ts';
import { pageOf, paging } from './parameters.ts';

const tag = 'Dead letters';
const webhookPath = z.strictObject({ webhookId: DeadWebhookId.describe('The `webhookId` of the list.') });

/** Webhooks that were given up, and about which nobody has done anything yet. */
export const deadWebhookEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'get',
    path: '/v1/dead-webhooks',
    operationId: 'listDeadWebhooks',
    tag,
    summary: 'Lists webhooks that were given up, those of the newest runs first.',
    query: z.strictObject(paging),
    answers: { 200: { what: 'A page of webhooks.', body: pageOf(DeadWebhook) } },
    async handle({ gateway, caller, query }) {
      const { items, next } = await gateway.subscriptions.listDead(caller, query);
      return reply(200, { items: [...items], next });
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/dead-webhooks/{webhookId}/redrive',
    operationId: 'redriveWebhook',
    tag,
    summary: 'Tells a webhook again, from where it was given up.',
    description: 'One that is told already is left as it is.',
    params: webhookPath,
    answers: { 204: { what: 'It is told again.' } },
    faults: ['not-found', 'invalid-request', 'unsupported', 'too-many', 'disk-low'],
    async handle({ gateway, caller, params: { webhookId } }) {
      await gateway.subscriptions.redrive(caller, webhookId);
      return nothing;
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/dead-webhooks/{webhookId}',
    operationId: 'discardWebhook',
    tag,
    summary: 'Removes a webhook that was given up, with what it is told by.',
    params: webhookPath,
    answers: { 204: { what: 'It is gone.' } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { webhookId } }) {
      await gateway.subscriptions.discard(caller, webhookId);
      return nothing;
    },
  }),
];
