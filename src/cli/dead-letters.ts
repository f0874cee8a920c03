import * as z from 'zod';
import { call, type Group, Id, Ids, many, pageFlags, PageFlags } from './command.ts';
import { runListing } from './runs.ts';
import { each, show, showPage } from './terminal.ts';

const ls = call({
  what: 'lists runs that failed for good and that nobody has seen to',
  flags: { thread: { takes: 'T', what: 'of this thread' }, agent: { takes: 'A', what: 'by this agent' }, ...pageFlags },
  ask: z.object({ thread: Id.optional(), agent: Id.optional(), ...PageFlags }),
  async run({ thread, agent, limit, cursor }, terminal) {
    const page = await terminal.client.deadLetters({ threadId: thread, agentId: agent, limit, cursor });
    return showPage(terminal, page, { ...runListing, of: 'dead runs' });
  },
});

const redrive = call({
  what: 'asks again what they were asked, as new runs',
  words: [many('id')],
  ask: z.object({ id: Ids }),
  run({ id: ids }, terminal) {
    return each(terminal, ids, async (id) => {
      const receipt = await terminal.client.redrive(id);
      await show(terminal, receipt, () => `${receipt.runId}\n`);
    });
  },
});

const discard = call({
  what: 'takes them off the list',
  words: [many('id')],
  ask: z.object({ id: Ids }),
  run({ id: ids }, terminal) {
    return each(terminal, ids, async (id) => {
      await terminal.client.discard(id);
      await show(terminal, { runId: id, discarded: true }, () => `${id} discarded\n`);
    });
  },
});

export const deadLetters: Group = { what: 'runs that failed for good', commands: { ls, redrive, discard } };
