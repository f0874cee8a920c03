import * as z from 'zod';
import type { ShownTicket } from '../../schemas/control.ts';
import { Json, JsonObject } from '../../schemas/json.ts';
import type { Answer } from '../../schemas/ticket.ts';
import { call, type Group, Id, Ids, JsonText, many, pageFlags, PageFlags, Switch } from './command.ts';
import type { ExitCode } from './exit-code.ts';
import { each, type Listing, show, showPage, type Terminal } from './terminal.ts';

const ticketListing: Listing<ShownTicket> = {
  of: 'questions',
  names: ['TICKET', 'KIND', 'STATE', 'THREAD', 'QUESTION'],
  row: ({ id, kind, closed, threadId, text }) => [id, kind, closed?.how ?? 'open', threadId, text],
};

const ls = call({
  what: 'lists open questions, newest first',
  flags: {
    thread: { takes: 'T', what: 'of this thread' },
    run: { takes: 'R', what: 'of this run' },
    all: { what: 'closed ones too' },
    ...pageFlags,
  },
  ask: z.object({ thread: Id.optional(), run: Id.optional(), all: Switch, ...PageFlags }),
  async run({ thread, run, all, limit, cursor }, terminal) {
    const state = all ? 'all' : 'open';
    const page = await terminal.client.tickets({ state, threadId: thread, runId: run, limit, cursor });
    return showPage(terminal, page, ticketListing);
  },
});

export const tickets: Group = { what: 'questions to people', commands: { ls } };

const noteFlag = { takes: 'N', what: 'what to tell the agent' };

export const approve = call({
  what: 'allows what agents ask for, this once',
  words: [many('id')],
  flags: { note: noteFlag, args: { takes: 'JSON', what: 'the arguments to use instead, where they may be changed' } },
  ask: z
    .object({
      id: Ids,
      note: z.string().optional(),
      args: JsonText.pipe(JsonObject).optional(),
    })
    .refine(({ id, args }) => args === undefined || id.length === 1, { path: ['args'], error: 'fits one ID alone' }),
  run({ id: ids, note, args }, terminal) {
    return decide(ids, { type: 'approve', ...(note && { note }), ...(args && { args }) }, terminal);
  },
});

export const deny = call({
  what: 'does not allow it',
  words: [many('id')],
  flags: { note: noteFlag },
  ask: z.object({ id: Ids, note: z.string().optional() }),
  run({ id: ids, note }, terminal) {
    return decide(ids, { type: 'deny', ...(note && { note }) }, terminal);
  },
});

const Answers = {
  option: Id.transform((optionId): Answer => ({ type: 'option', optionId })).optional(),
  value: JsonText.pipe(Json)
    .transform((value): Answer => ({ type: 'value', value }))
    .optional(),
  text: z
    .string()
    .transform((value): Answer => ({ type: 'value', value }))
    .optional(),
  dismiss: Switch.transform((given): Answer | undefined => (given ? { type: 'dismiss' } : undefined)),
};

export const answer = call({
  what: 'answers questions',
  words: [many('id')],
  flags: {
    option: { takes: 'O', what: 'one of its options, by id' },
    value: { takes: 'JSON', what: 'a value that fits its schema' },
    text: { takes: 'T', what: 'a value that is this text' },
    dismiss: { what: 'no answer: the agent goes on without one' },
  },
  ask: z
    .object({ id: Ids, ...Answers })
    .transform(({ id, ...answers }) => ({ id, answers: Object.values(answers).filter((given) => given !== undefined) }))
    .refine(({ answers }) => answers.length === 1, {
      error: 'answer takes exactly one of --option O, --value JSON, --text T, --dismiss',
    }),
  async run({ id: ids, answers: [given] }, terminal) {
    return given === undefined ? 2 : decide(ids, given, terminal);
  },
});

function decide(ids: readonly string[], given: Answer, terminal: Terminal): Promise<ExitCode> {
  return each(terminal, ids, async (id) => {
    const ticket = await terminal.client.decide(id, given);
    await show(terminal, ticket, () => `${id} ${ticket.closed?.how ?? 'open'}\n`);
  });
}
