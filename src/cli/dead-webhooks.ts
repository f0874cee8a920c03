import * as z from 'zod';
import type { DeadWebhook } from '../../schemas/subscription.ts';
import { call, type Group, Ids, many, pageFlags, PageFlags } from './command.ts';
import { timeOf } from './output.ts';
import { each, type Listing, show, showPage } from './terminal.ts';

const listing: Listing<DeadWebhook> = {
  of: 'dead webhooks',
  names: ['WEBHOOK', 'RUN', 'ACTOR', 'HOST', 'GIVEN UP', 'WHY'],
  row: ({ webhookId, runId, actor, host, diedAtMs, fault }) => [
    webhookId,
    runId,
    actor,
    host,
    timeOf(diedAtMs) ?? '',
    fault.message,
  ],
};

const ls = call({
  what: 'lists webhooks that were given up',
  flags: pageFlags,
  ask: z.object(PageFlags),
  async run(page, terminal) {
    return showPage(terminal, await terminal.client.deadWebhooks(page), listing);
  },
});

const redrive = call({
  what: 'tells them again, from where they were given up',
  words: [many('webhook')],
  ask: z.object({ webhook: Ids }),
  run({ webhook: ids }, terminal) {
    return each(terminal, ids, async (webhookId) => {
      await terminal.client.redriveWebhook(webhookId);
      await show(terminal, { webhookId, redriven: true }, () => `${webhookId} redriven\n`);
    });
  },
});

const discard = call({
  what: 'removes them',
  words: [many('webhook')],
  ask: z.object({ webhook: Ids }),
  run({ webhook: ids }, terminal) {
    return each(terminal, ids, async (webhookId) => {
      await terminal.client.discardWebhook(webhookId);
      await show(terminal, { webhookId, discarded: true }, () => `${webhookId} discarded\n`);
    });
  },
});

export const deadWebhooks: Group = { what: 'webhooks that were given up', commands: { ls, redrive, discard } };
