import { EventType as EventType0045 } from 'ag-ui-client-0-0-45';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { approval, runLog } from '../support/ag-ui-arbitrary.ts';
import { parseSse, readStream, type Received, type WireObject } from '../support/ag-ui-client.ts';
import { clients, olderClients } from '../support/ag-ui-clients.ts';
import { type Entry, ThreadLog, threadId, userMessage } from '../support/ag-ui-log.ts';
import { activation, encodeJoined, encodeLog, opening } from '../support/ag-ui-stream.ts';

const input = { threadId, runId: 'client-run-1', messages: [{ id: 'm1', role: 'user', content: 'hi' }] };

const begin: readonly Entry[] = [
  { type: 'run.started', activations: [activation], agentId: 'demo' },
  { type: 'message.added', message: userMessage('m1', 'hi'), activation },
];
const ends: Entry = { type: 'run.finished', outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls: [] } };
const says = (id: string, ...words: readonly string[]): readonly Entry[] => [
  { type: 'text.started', id, role: 'assistant' },
  ...words.map((delta): Entry => ({ type: 'text.delta', id, delta })),
  { type: 'text.ended', id },
];
const calls = (runBy: 'agent' | 'client'): readonly Entry[] => [
  ...says('t1', 'See:'),
  { type: 'tool.started', id: 'c1', name: 'draw', parentMessageId: 't1', runBy },
  { type: 'tool.called', id: 'c1', args: '{}' },
];
const image = { type: 'media', kind: 'image', source: { at: 'inline', data: 'AAAA' }, mimeType: 'image/png' } as const;
const draws: Entry = {
  type: 'tool.result',
  id: 'c1',
  messageId: 'c1-result',
  status: 'ok',
  parts: [{ type: 'text', text: 'a cloud' }, image],
  origin: 'agent',
};

/** A stream as a client of an era gets it, and what of it was noted as lost. */
interface Told {
  readonly sse: string;
  readonly events: readonly WireObject[];
  readonly received: Received;
  readonly lost: readonly string[];
}

interface Row {
  readonly what: string;
  readonly history?: ConstructorParameters<typeof ThreadLog>[0];
  readonly log: readonly Entry[];
  /** Somebody comes when so many events were recorded. */
  readonly joinedAt?: number;
  readonly current: (told: Told) => void;
  readonly former: (told: Told) => void;
}

const end = ({ events }: Told): WireObject | undefined => events.at(-1);
const typesOf = ({ events }: Told): string[] => events.map(({ type }) => type);
const messageOf = ({ received }: Told, id: string): object | undefined =>
  received.messages.find((one) => one.id === id);

const unmarked = (told: Told): void => {
  expect(told.lost).toEqual([]);
  expect(told.events[0]).toMatchObject({ type: 'RUN_STARTED', protocolVersion: '1.0' });
  expect(end(told)).toMatchObject({ usage: [{ provider: 'acme', model: 'a1', inputTokens: 3 }] });
  expect(told.events).toContainEqual(expect.objectContaining({ metadata: { own: 1 }, subagentRunId: 's1' }));
};
const asks = (told: Told): void => {
  expect(told.lost).toEqual([]);
  expect(end(told)).toMatchObject({ outcome: { type: 'interrupt', interrupts: [{ id: 'tkt-1' }] } });
};
const closesReasoning = (told: Told): void => {
  expect(told.lost).toEqual([]);
  expect(typesOf(told).slice(-3)).toEqual(['REASONING_MESSAGE_END', 'REASONING_END', 'RUN_FINISHED']);
};
const showsReasoning = (told: Told): void => {
  expect(told.lost).toEqual([]);
  expect(messageOf(told, 'r1')).toMatchObject({ role: 'reasoning', content: 'Hm' });
  expect(messageOf(told, 'p1')).toMatchObject({ role: 'activity' });
};
const hasOneRun = (told: Told): void => {
  expect(typesOf(told).filter((type) => type === 'RUN_STARTED')).toHaveLength(1);
  expect(end(told)).toMatchObject({ type: 'RUN_ERROR', code: 'AGENT_FAILED' });
};
const hasCallOnce = (told: Told): void => {
  const all = told.received.messages.flatMap((one) => (one['toolCalls'] ?? []) as { id: string; function: object }[]);
  expect(all).toMatchObject([{ id: 'c1', function: { name: 'draw', arguments: '{"a":1}' } }]);
};

/** What clients in the field make of AG-UI 1.0, row by row. Each hazard is told to all of them in a way that they take. */
const rows: readonly Row[] = [
  {
    what: 'protocol version, usage, metadata and attribution',
    log: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant', subagentId: 's1', metadata: { own: 1 } },
      { type: 'text.ended', id: 't1' },
      { type: 'usage', provider: 'acme', model: 'a1', tokens: { input: 3 } },
      ends,
    ],
    current: unmarked,
    former: unmarked,
  },
  {
    what: 'an interrupt',
    log: [...begin, { type: 'ticket.opened', ticket: approval }, { type: 'run.waiting', ticketIds: [approval.id] }],
    current: asks,
    former: asks,
  },
  {
    what: 'calls that are left to the client',
    log: [
      ...begin,
      ...calls('client'),
      { type: 'run.finished', outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls: ['c1'] } },
    ],
    current(told) {
      expect(end(told)).toMatchObject({ outcome: { type: 'success', pendingToolCallIds: ['c1'] } });
      expect(told.lost).toEqual([]);
    },
    former(told) {
      expect(end(told)?.['outcome']).toEqual({ type: 'success' });
      expect(told.lost).toEqual(['which tool calls are left to the client']);
    },
  },
  {
    what: 'a run that was cancelled',
    log: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'run.finished', outcome: { type: 'cancelled', by: 'ada', reason: 'cancelled' } },
    ],
    current: (told) => expect(end(told)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } }),
    former(told) {
      expect(typesOf(told).slice(-2)).toEqual(['TEXT_MESSAGE_END', 'RUN_ERROR']);
      expect(end(told)).toMatchObject({ code: 'CANCELLED' });
    },
  },
  {
    what: 'a subagent',
    log: [
      ...begin,
      { type: 'subagent.started', id: 's1', name: 'clerk' },
      { type: 'text.started', id: 't1', role: 'assistant', subagentId: 's1' },
      { type: 'text.ended', id: 't1', subagentId: 's1' },
      { type: 'subagent.finished', id: 's1' },
      ends,
    ],
    current(told) {
      expect(typesOf(told)).toEqual(expect.arrayContaining(['SUBAGENT_STARTED', 'SUBAGENT_FINISHED']));
      expect(told.lost).toEqual([]);
    },
    former(told) {
      expect(typesOf(told).filter((type) => type.startsWith('SUBAGENT'))).toEqual([]);
      expect(told.events).toContainEqual(expect.objectContaining({ type: 'TEXT_MESSAGE_START', subagentRunId: 's1' }));
      expect(told.lost).toEqual(['that subagents start and finish']);
    },
  },
  {
    what: 'media in a tool result',
    log: [...begin, ...calls('agent'), draws, ends],
    current: (told) => expect(messageOf(told, 'c1-result')).toMatchObject({ content: [{ type: 'text' }, {}] }),
    former(told) {
      expect(messageOf(told, 'c1-result')).toMatchObject({ content: 'a cloud' });
      expect(told.lost).toEqual(['media in a tool result']);
    },
  },
  {
    what: 'media in a tool result, and a file handle, in a snapshot',
    history: {
      history: [
        userMessage('m0', '', {
          parts: [
            { type: 'text', text: 'look' },
            { type: 'media', kind: 'document', source: { at: 'file', file: 'f1' } },
          ],
        }),
      ],
    },
    log: [...begin, ...calls('agent'), draws, ...says('t2', 'Look.'), ends],
    joinedAt: 8,
    current(told) {
      expect(messageOf(told, 'm0')).toMatchObject({ content: [{ text: 'look' }, { source: { type: 'file' } }] });
    },
    former(told) {
      expect(JSON.stringify(messageOf(told, 'm0'))).toContain('look');
      expect(told.sse).not.toContain('"file"');
      expect(told.lost.toSorted()).toEqual(['a file handle in a message', 'media in a tool result']);
    },
  },
  {
    what: 'an empty delta',
    log: [...begin, ...says('t1', 'a', '', 'b'), ends],
    current: (told) => expect(told.events.filter(({ delta }) => delta === '')).toHaveLength(1),
    former(told) {
      expect(told.events.filter(({ delta }) => delta === '')).toHaveLength(0);
      expect(messageOf(told, 't1')).toMatchObject({ content: 'ab' });
      expect(told.lost).toEqual([]);
    },
  },
  {
    what: 'reasoning and activities in what a newcomer is shown',
    log: [
      ...begin,
      { type: 'reasoning.started', id: 'r1' },
      { type: 'reasoning.delta', id: 'r1', delta: 'Hm' },
      { type: 'reasoning.ended', id: 'r1' },
      { type: 'plan', planId: 'p1', entries: [{ content: 'do it', priority: 'high', status: 'pending' }] },
      ...says('t1', 'Yes'),
      ends,
    ],
    joinedAt: 6,
    current: showsReasoning,
    former: showsReasoning,
  },
  {
    what: 'a run that fails, and is retried',
    log: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'run.retrying', nextAttempt: 2, retryAtMs: 1 },
      { type: 'attempt.discarded', itemIds: ['t1'], state: {} },
      {
        type: 'run.finished',
        outcome: { type: 'failed', fault: { code: 'agent-failed', message: 'no', retryable: true }, retryable: true },
      },
    ],
    current: hasOneRun,
    former: hasOneRun,
  },
  {
    what: 'reasoning that is open at the end',
    log: [...begin, { type: 'reasoning.started', id: 'r1' }, { type: 'reasoning.delta', id: 'r1', delta: 'Hm' }, ends],
    current: closesReasoning,
    former: closesReasoning,
  },
  {
    what: 'a call that is open when somebody joins',
    log: [
      ...begin,
      ...says('t1', 'See:'),
      { type: 'tool.started', id: 'c1', name: 'draw', parentMessageId: 't1', runBy: 'agent' },
      { type: 'tool.args', id: 'c1', delta: '{"a"' },
      { type: 'tool.args', id: 'c1', delta: ':1}' },
      { type: 'tool.called', id: 'c1', args: '{"a":1}' },
      draws,
      ends,
    ],
    joinedAt: 7,
    current: hasCallOnce,
    former: hasCallOnce,
  },
  {
    what: 'an open call without a message when somebody joins',
    log: [
      ...begin,
      { type: 'tool.started', id: 'c1', name: 'draw', runBy: 'agent' },
      { type: 'tool.args', id: 'c1', delta: '{"a":1}' },
      { type: 'ticket.opened', ticket: approval },
      { type: 'run.waiting', ticketIds: [approval.id] },
    ],
    joinedAt: 4,
    current: hasCallOnce,
    former: hasCallOnce,
  },
];

describe.each([...clients, ...olderClients])('$name', (client) => {
  const { era } = client;

  beforeEach(() => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(rows)('takes $what', { tags: 'stream-is-well-formed' }, async (row) => {
    const log = new ThreadLog(row.history);
    log.append(...row.log);
    const lost: string[] = [];
    const note = (what: string): void => {
      if (!lost.includes(what)) lost.push(what);
    };
    const sse =
      row.joinedAt === undefined
        ? encodeLog(log, opening(era, { lost: note }))
        : encodeJoined(log, era, row.joinedAt, undefined, note);
    const messages = row.joinedAt === undefined ? input.messages : [];
    const received = await readStream(client, sse, { ...input, messages });
    const told = { sse, events: parseSse(sse).map(({ event }) => event), received, lost };
    if (era === '1.x') row.current(told);
    else row.former(told);
  });

  it('is told nothing that it does not know, and ends with the messages that the newest of its era has', async () => {
    const known = new Set<string>(Object.values(EventType0045));
    const [, newest] = clients;
    await fc.assert(
      fc.asyncProperty(runLog(true), fc.nat(), async (log, where) => {
        const streams = [
          [encodeLog(log, opening(era)), input.messages],
          [encodeJoined(log, era, 1 + (where % (log.head - 1))), []],
        ] as const;
        for (const [sse, messages] of streams) {
          // Up to 0.0.47 a user's media are `binary` parts, and all others fatal. They are served as the rest of their era.
          fc.pre(!client.name.endsWith('0.0.45') || !/"type":"(?:image|audio|video|document)"/.test(sse));
          const received = await readStream(client, sse, { ...input, messages });
          if (era === '1.x') continue;
          expect(parseSse(sse).filter(({ event }) => !known.has(event.type))).toEqual([]);
          expect(shownBy(received)).toEqual(shownBy(await readStream(newest, sse, { ...input, messages })));
        }
      }),
      { numRuns: 60 },
    );
  });
});

/**
 * The conversation and the state. Each version has its own way to keep reasoning and activities that a snapshot leaves out,
 * and up to 0.0.49 a call whose message is not the last one becomes a second message of the same id.
 */
function shownBy({ messages, state }: Received): unknown {
  const shown = new Map<string, { role: string; content?: unknown; calls: Map<string, object> }>();
  for (const { id, role, content, toolCalls = [] } of messages) {
    if (role === 'reasoning' || role === 'activity') continue;
    const { calls, content: text } = shown.get(id) ?? { calls: new Map<string, object>(), content: undefined };
    for (const call of toolCalls as { id: string; function: object }[]) calls.set(call.id, { ...call.function });
    shown.set(id, { role, content: text ?? (content === '' ? undefined : content), calls });
  }
  return { state, messages: shown };
}
