import * as z from 'zod';
import type { ThreadStatus } from '../../schemas/control.ts';
import type { Thread } from '../../schemas/thread.ts';
import { call, type Group, Id, one, pageFlags, PageFlags } from './command.ts';
import { messagesText } from './messages.ts';
import { listOf, tableOf, timeOf } from './output.ts';
import { queueListing } from './queue.ts';
import { stopText } from './runs.ts';
import { type Listing, show, showPage } from './terminal.ts';

const threadListing: Listing<Thread> = {
  of: 'threads',
  names: ['THREAD', 'CREATED', 'TITLE'],
  row: ({ id, createdAtMs, title }) => [id, timeOf(createdAtMs) ?? '', title ?? ''],
};

const ls = call({
  what: 'lists threads, newest first',
  flags: pageFlags,
  ask: z.object(PageFlags),
  async run({ limit, cursor }, terminal) {
    return showPage(terminal, await terminal.client.threads({ limit, cursor }), threadListing);
  },
});

const showOne = call({
  what: 'shows what happens on a thread, what waits, and its last messages',
  words: [one('id')],
  flags: { limit: { ...pageFlags.limit, what: 'how many messages, at most 200 (default 50)' } },
  ask: z.object({ id: Id, limit: PageFlags.limit }),
  async run({ id, limit }, terminal) {
    const { client, out } = terminal;
    const status = await client.thread(id);
    const [queue, page] = await Promise.all([client.queue(id), client.messages(id, { limit })]);
    const messages = [...page.items].reverse();
    await show(terminal, { ...status, queue, messages }, () =>
      [
        statusText(status, out.columns),
        ...(queue.length === 0
          ? []
          : [
              tableOf(
                queueListing.names,
                queue.map((entry) => queueListing.row(entry)),
                out.columns,
              ),
            ]),
        ...(messages.length === 0 ? [] : [messagesText(messages)]),
      ].join('\n'),
    );
    return 0;
  },
});

export const threads: Group = { what: 'conversations', commands: { ls, show: showOne } };

export const interrupt = call({
  what: 'stops what runs on a thread, and takes back what you have queued there',
  words: [one('thread')],
  ask: z.object({ thread: Id }),
  async run({ thread }, terminal) {
    const report = await terminal.client.interrupt(thread);
    await show(terminal, report, () => stopText(report));
    return 0;
  },
});

function statusText({ thread, open, waiting }: ThreadStatus, columns: number | undefined): string {
  const { id, title, contextId, createdAtMs, parent } = thread;
  return listOf(
    [
      ['thread', id],
      ['title', title],
      ['context', contextId === id ? undefined : contextId],
      ['forked from', parent?.threadId],
      ['created', timeOf(createdAtMs)],
      ['run', open === undefined ? 'none' : `${open.runId} by ${open.agentId}, ${open.phase}`],
      ['questions', open === undefined || open.ticketIds.length === 0 ? undefined : open.ticketIds.join(', ')],
      ['waiting', String(waiting)],
    ],
    columns,
  );
}
