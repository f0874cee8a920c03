import * as z from 'zod';
import type { RunReport, StopReport } from '../../schemas/control.ts';
import type { Run } from '../../schemas/run.ts';
import { call, type Group, Id, Ids, many, one, pageFlags, PageFlags } from './command.ts';
import { eventLine, outcomeText } from './event-line.ts';
import { followRun } from './follow-run.ts';
import { messagesText } from './messages.ts';
import { jsonLine, listOf, tableOf, timeOf } from './output.ts';
import { each, type Listing, show, showPage } from './terminal.ts';
import { questionText } from './answer-text.ts';

export const runListing: Listing<Run> = {
  of: 'runs',
  names: ['RUN', 'STATUS', 'AGENT', 'THREAD', 'CREATED', 'OUTCOME'],
  row: ({ id, status, agentId, threadId, createdAtMs, outcome }) => [
    id,
    status,
    agentId,
    threadId,
    timeOf(createdAtMs) ?? '',
    outcome === undefined ? '' : outcomeText(outcome),
  ],
};

const ls = call({
  what: 'lists runs, newest first',
  flags: {
    status: { takes: 'S', what: 'created, running, waiting, done or dead' },
    thread: { takes: 'T', what: 'of this thread' },
    agent: { takes: 'A', what: 'by this agent' },
    ...pageFlags,
  },
  ask: z.object({
    status: z.enum(['created', 'running', 'waiting', 'done', 'dead']).optional(),
    thread: Id.optional(),
    agent: Id.optional(),
    ...PageFlags,
  }),
  async run({ status, thread, agent, limit, cursor }, terminal) {
    const page = await terminal.client.runs({ status, threadId: thread, agentId: agent, limit, cursor });
    return showPage(terminal, page, runListing);
  },
});

const showOne = call({
  what: 'shows a run, its open questions, and once it is done what it wrote',
  words: [one('id')],
  ask: z.object({ id: Id }),
  async run({ id }, terminal) {
    const report = await terminal.client.run(id);
    await show(terminal, report, () =>
      reportText(report, terminal.out.columns, (ticket) => questionText(terminal, ticket)),
    );
    return 0;
  },
});

const tail = call({
  what: 'shows the events of a run, one a line, until it ends',
  words: [one('id')],
  ask: z.object({ id: Id }),
  run({ id }, terminal) {
    const { out, json } = terminal;
    return followRun(terminal, id, {
      show: (event) => out.write(json ? jsonLine(event) : eventLine(event, out.columns)),
    });
  },
});

const cancel = call({
  what: 'ends runs, wherever they are: queued, running or waiting',
  words: [many('id')],
  ask: z.object({ id: Ids }),
  run({ id: ids }, terminal) {
    return each(terminal, ids, async (id) => {
      const report = await terminal.client.cancelRun(id);
      await show(terminal, report, () => stopText(report));
    });
  },
});

export const runs: Group = { what: 'what agents execute', commands: { ls, show: showOne, tail, cancel } };

/** What a cancel or an interrupt reached. */
export function stopText({ runs: reached, retracted }: StopReport): string {
  const rows = [
    ...Object.entries(reached).map(([id, state]) => [id, state]),
    ...retracted.map((id) => [id, 'retracted']),
  ];
  return rows.length === 0 ? 'nothing to stop\n' : tableOf(['REACHED', 'STATE'], rows);
}

function reportText(
  { run, tickets, messages }: RunReport,
  columns: number | undefined,
  question: (ticket: RunReport['tickets'][number]) => string,
): string {
  const { outcome } = run;
  const facts = listOf(
    [
      ['run', run.id],
      ['thread', run.threadId],
      ['agent', run.agentId],
      ['status', run.status],
      ['outcome', outcome === undefined ? undefined : outcomeText(outcome)],
      ['attempt', String(run.attempt)],
      ['created', timeOf(run.createdAtMs)],
      ['ended', timeOf(run.endedAtMs)],
      ['retry of', run.retryOf],
      ['redriven', run.setAside?.how === 'redriven' ? run.setAside.runId : undefined],
    ],
    columns,
  );
  const questions = tickets.map((ticket) => `\n${question(ticket)}\n`).join('');
  return `${facts}${questions}${messages.length === 0 ? '' : `\n${messagesText(messages)}`}`;
}
