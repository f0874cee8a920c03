import * as z from 'zod';
import type { QueueEntry } from '../../schemas/control.ts';
import { textOf } from '../../schemas/part.ts';
import { Fault } from '../fault.ts';
import { call, type Group, Id, Ids, many, one } from './command.ts';
import { each, type Listing, show, showPage } from './terminal.ts';

export const queueListing: Listing<QueueEntry> = {
  of: 'input that waits',
  names: ['ACTIVATION', 'STATE', 'REVISION', 'ACTOR', 'TEXT'],
  row: ({ activation, messages }) => [
    activation.id,
    activation.state.is,
    String(activation.revision),
    activation.actor,
    messages.map(({ parts }) => textOf(parts)).join(' / '),
  ],
};

const ls = call({
  what: 'lists what waits on a thread, in the order in which it will be taken',
  words: [one('thread')],
  ask: z.object({ thread: Id }),
  async run({ thread }, terminal) {
    return showPage(terminal, { items: await terminal.client.queue(thread) }, queueListing);
  },
});

const edit = call({
  what: 'says something else, while no run has taken it',
  words: [one('thread'), one('activation'), many('text')],
  ask: z.object({ thread: Id, activation: Id, text: z.array(z.string()) }),
  async run({ thread, activation: id, text: words }, terminal) {
    const { client } = terminal;
    const text = words.join(' ');
    if (text.trim() === '') throw new Fault('config-invalid', 'queue edit: TEXT is missing');
    const entry = (await client.queue(thread)).find(({ activation }) => activation.id === id);
    if (entry === undefined) throw new Fault('not-found', `nothing that waits on ${thread} is called ${id}`);
    const { revision } = entry.activation;
    const [first = { role: 'user' as const }] = entry.messages;
    const edited = await client.editInput(thread, id, {
      revision,
      messages: [{ ...first, parts: [{ type: 'text', text }] }],
    });
    await show(terminal, edited, () => `${edited.id} revision ${edited.revision}\n`);
    return 0;
  },
});

const drop = call({
  what: 'takes back what waits',
  words: [one('thread'), many('activation')],
  ask: z.object({ thread: Id, activation: Ids }),
  run({ thread, activation: ids }, terminal) {
    return each(terminal, ids, async (id) => {
      const dropped = await terminal.client.retractInput(thread, id);
      await show(terminal, dropped, () => `${dropped.id} ${dropped.state.is}\n`);
    });
  },
});

export const queue: Group = { what: 'what waits on a thread', commands: { ls, edit, drop } };
