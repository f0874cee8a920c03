import { describe, expect, it } from 'vitest';
import type { ClientCopy } from '../../adapters/ag-ui/decode.ts';
import type { Opening } from '../../adapters/ag-ui/fold.ts';
import { approval } from '../support/ag-ui-arbitrary.ts';
import { readStream } from '../support/ag-ui-client.ts';
import { type Entry, ThreadLog, threadId, userMessage } from '../support/ag-ui-log.ts';
import { activation, encodeLog, opening, secondActivation, type Said } from '../support/ag-ui-stream.ts';

interface Story {
  readonly before?: ConstructorParameters<typeof ThreadLog>[0];
  readonly events: readonly Entry[];
  readonly opening?: Partial<Opening>;
}

const begin: readonly Entry[] = [
  { type: 'run.queued', activation },
  { type: 'run.started', activations: [activation], agentId: 'demo' },
  { type: 'message.added', message: userMessage('m1', 'hi'), activation },
];
const says = (id: string, ...words: readonly string[]): readonly Entry[] => [
  { type: 'text.started', id, role: 'assistant' },
  ...words.map((delta): Entry => ({ type: 'text.delta', id, delta })),
  { type: 'text.ended', id },
];
const ends = (pendingToolCalls: string[] = []): Entry => ({
  type: 'run.finished',
  outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls },
});
const calls = (id: string, name: string, runBy: 'agent' | 'client'): readonly Entry[] => [
  { type: 'tool.started', id, name, title: `Calls ${name}`, kind: 'fetch', parentMessageId: 't1', runBy },
  { type: 'tool.args', id, delta: '{"city"' },
  { type: 'tool.args', id, delta: ':"Oslo"}' },
  { type: 'tool.called', id, args: '{"city":"Oslo"}' },
];
const result = (id: string, more: Partial<Entry & { type: 'tool.result' }> = {}): Entry => ({
  type: 'tool.result',
  id,
  messageId: `${id}-result`,
  status: 'ok',
  parts: [{ type: 'text', text: 'rain' }],
  origin: 'agent',
  ...more,
});
const ticket = {
  ...approval,
  toolCallId: 'c1',
  options: [{ id: 'allow-once', name: 'Allow', kind: 'allow-once' as const }],
};
const form = {
  ...approval,
  id: 'tkt-2',
  kind: 'form' as const,
  text: 'Who?',
  editable: false,
  subagentId: 's1',
  schema: { type: 'object', properties: { name: { type: 'string' } } },
};
const waits: readonly Entry[] = [
  { type: 'ticket.opened', ticket },
  { type: 'ticket.opened', ticket: form },
  { type: 'run.waiting', ticketIds: [ticket.id, form.id] },
];
const resumed: Said = { activation: secondActivation, runId: 'client-run-2' };
const copyOf = (messages: Readonly<Record<string, number>>): ClientCopy => ({
  messages: new Map(Object.entries(messages)),
  reasoning: new Set(),
  answeredCalls: new Set(),
  state: {},
});

const stories: Readonly<Record<string, Story>> = {
  text: {
    events: [...begin, ...says('t1', 'Hel', '', 'lo', ' "wörld"\n\n'), ends()],
  },
  reasoning: {
    events: [
      ...begin,
      { type: 'reasoning.started', id: 'r1', spanId: 'think' },
      { type: 'reasoning.delta', id: 'r1', delta: 'Hm' },
      { type: 'encrypted', entity: 'message', id: 'r1', value: 'sealed', provider: 'acme' },
      { type: 'reasoning.ended', id: 'r1' },
      ...says('t1', 'Yes'),
      ends(),
    ],
  },
  tool: {
    events: [
      ...begin,
      ...says('t1', 'Let me look.'),
      ...calls('c1', 'weather', 'agent'),
      { type: 'tool.updated', id: 'c1', status: 'in_progress' },
      { type: 'tool.output', id: 'c1', stream: 'stdout', delta: 'asking' },
      result('c1'),
      { type: 'tool.started', id: 'c2', name: 'draw', runBy: 'agent' },
      { type: 'tool.called', id: 'c2', args: '{}' },
      result('c2', {
        parts: [
          { type: 'text', text: 'A cloud' },
          { type: 'media', kind: 'image', source: { at: 'blob', blob: 'sha' }, mimeType: 'image/png' },
        ],
      }),
      { type: 'tool.started', id: 'c3', name: 'fail', runBy: 'agent' },
      { type: 'tool.called', id: 'c3', args: '{}' },
      result('c3', { status: 'error', error: 'no such city', parts: [] }),
      ends(),
    ],
  },
  'frontend-tool': {
    events: [...begin, ...says('t1', 'See:'), ...calls('c1', 'showMap', 'client'), ends(['c1'])],
  },
  'frontend-tool-result': {
    before: { history: [userMessage('m0', 'where?')] },
    events: [
      { type: 'run.started', activations: [activation], agentId: 'demo' },
      result('c0', { origin: 'client', messageId: 'm1' }),
      {
        type: 'message.added',
        message: userMessage('m1', 'shown', { role: 'tool', toolCallId: 'c0' }),
        activation,
      },
      ...says('t1', 'There.'),
      ends(),
    ],
    opening: { copy: { ...copyOf({ m0: 6, m1: 5 }), answeredCalls: new Set(['c0']) } },
  },
  interrupt: {
    events: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'text.delta', id: 't1', delta: 'May I' },
      ...calls('c1', 'delete', 'agent'),
      { type: 'step.started', name: 'plan' },
      { type: 'subagent.started', id: 's1', name: 'clerk', parentToolCallId: 'c1' },
      { type: 'state.snapshot', state: { asked: true }, origin: 'agent' },
      ...waits,
    ],
  },
  resume: {
    events: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'text.delta', id: 't1', delta: 'May I' },
      ...calls('c1', 'delete', 'agent'),
      ...waits,
      { type: 'ticket.closed', ticketId: ticket.id, how: 'answered', by: { door: 'ag-ui' } },
      { type: 'run.resumed', cause: 'decision', activation: secondActivation },
      { type: 'tool.output', id: 'c1', stream: 'stdout', delta: 'gone' },
      result('c1'),
      { type: 'text.delta', id: 't1', delta: ' now' },
      { type: 'text.ended', id: 't1' },
      ends(),
    ],
    opening: { ...resumed, afterSeq: 12, copy: copyOf({ m1: 2, t1: 5 }) },
  },
  'resume-partly': {
    events: [
      ...begin,
      ...says('t1', 'May I'),
      ...waits,
      { type: 'ticket.closed', ticketId: ticket.id, how: 'answered', by: { door: 'ag-ui' } },
      { type: 'run.resumed', cause: 'decision', activation: secondActivation },
      { type: 'run.waiting', ticketIds: [form.id] },
    ],
    opening: { ...resumed, afterSeq: 9, copy: copyOf({ m1: 2, t1: 5 }) },
  },
  'resume-inside-a-step': {
    events: [
      ...begin,
      { type: 'subagent.started', id: 's1', name: 'researcher' },
      { type: 'step.started', name: 'read', subagentId: 's1' },
      ...waits,
      { type: 'ticket.closed', ticketId: ticket.id, how: 'answered', by: { door: 'ag-ui' } },
      { type: 'run.resumed', cause: 'decision', activation: secondActivation },
      ...says('t1', 'Thanks.'),
      { type: 'step.finished', name: 'read', subagentId: 's1' },
      { type: 'subagent.finished', id: 's1' },
      ends(),
    ],
    opening: { ...resumed, afterSeq: 5 + waits.length, copy: copyOf({ m1: 2 }) },
  },
  'state-plan-artifact': {
    events: [
      ...begin,
      { type: 'state.delta', patch: [{ op: 'add', path: '/step', value: 1 }], origin: 'agent' },
      { type: 'plan', planId: 'p1', entries: [{ content: 'look', priority: 'high', status: 'pending' }] },
      {
        type: 'artifact',
        id: 'f1',
        name: 'report',
        parts: [{ type: 'text', text: 'one' }],
        append: false,
        last: false,
      },
      { type: 'artifact', id: 'f1', parts: [{ type: 'text', text: 'two' }], append: true, last: true },
      { type: 'activity.snapshot', id: 'a1', activityType: 'search', content: { found: 1 } },
      {
        type: 'activity.delta',
        id: 'a1',
        activityType: 'search',
        patch: [{ op: 'replace', path: '/found', value: 2 }],
      },
      ends(),
    ],
  },
  retry: {
    events: [
      ...begin,
      { type: 'state.snapshot', state: { tried: 1 }, origin: 'agent' },
      { type: 'reasoning.started', id: 'r1' },
      { type: 'reasoning.delta', id: 'r1', delta: 'wrong' },
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'text.delta', id: 't1', delta: 'broken' },
      { type: 'tool.started', id: 'c1', name: 'weather', parentMessageId: 't1', runBy: 'agent' },
      { type: 'plan', planId: 'p1', entries: [{ content: 'look', priority: 'high', status: 'pending' }] },
      { type: 'subagent.started', id: 's1', name: 'clerk' },
      {
        type: 'run.retrying',
        nextAttempt: 2,
        retryAtMs: 1_700_000_000_250,
        fault: { code: 'agent-failed', message: 'it failed', retryable: true },
      },
      { type: 'attempt.discarded', itemIds: ['r1', 't1', 'c1', 'p1'], state: {}, attempt: 2 },
      { type: 'subagent.started', id: 's1', name: 'clerk', attempt: 2 },
      { type: 'text.started', id: 't1', role: 'assistant', subagentId: 's1', attempt: 2 },
      { type: 'text.delta', id: 't1', delta: 'whole', attempt: 2 },
      { type: 'text.ended', id: 't1', attempt: 2 },
      { type: 'subagent.finished', id: 's1', attempt: 2 },
      ends(),
    ],
  },
  usage: {
    events: [
      ...begin,
      { type: 'usage', provider: 'acme', model: 'large', tokens: { input: 10, output: 2, cached: 4 } },
      { type: 'usage', provider: 'acme', model: 'large', tokens: { input: 5, output: 1 } },
      { type: 'usage', provider: 'acme', model: 'small', tokens: { output: 3 } },
      ends(),
    ],
  },
  refusal: {
    events: [
      ...begin,
      ...says('t1', 'No.'),
      {
        type: 'run.finished',
        outcome: { type: 'completed', stop: 'refusal', pendingToolCalls: [], result: { why: 'policy' } },
      },
    ],
  },
  limit: {
    events: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'text.delta', id: 't1', delta: 'and so on' },
      { type: 'usage', provider: 'acme', model: 'large', tokens: { output: 9 } },
      { type: 'run.finished', outcome: { type: 'completed', stop: 'max_tokens', pendingToolCalls: [] } },
    ],
  },
  cancelled: {
    events: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'run.stopping', reason: 'cancelled', by: 'ada' },
      { type: 'run.finished', outcome: { type: 'cancelled', by: 'ada', reason: 'cancelled' } },
    ],
  },
  failed: {
    events: [
      ...begin,
      { type: 'text.started', id: 't1', role: 'assistant' },
      {
        type: 'run.finished',
        outcome: {
          type: 'failed',
          fault: { code: 'upstream-failed', message: 'the model is away', retryable: true },
          retryable: true,
        },
      },
    ],
  },
  'queued-and-superseded': {
    events: [
      { type: 'text.started', id: 'x1', role: 'assistant', runId: 'run-0' },
      { type: 'text.delta', id: 'x1', delta: 'not yours', runId: 'run-0' },
      { type: 'run.finished', outcome: { type: 'cancelled', by: 'ada', reason: 'superseded' }, attempt: 0 },
    ],
  },
  'steered-and-requeued': {
    events: [
      { type: 'input.staged', activation, messageIds: ['m1'], actor: 'ada', door: 'ag-ui', runId: 'run-0' },
      { type: 'run.finished', outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls: [] }, runId: 'run-0' },
      ...begin,
      ...says('t1', 'Your turn.'),
      ends(),
    ],
    opening: { run: undefined },
  },
  'steered-and-retracted': {
    events: [
      { type: 'input.staged', activation, messageIds: ['m1'], actor: 'ada', door: 'ag-ui', runId: 'run-0' },
      { type: 'input.retracted', activation, by: 'ada', runId: 'run-0' },
    ],
    opening: { run: undefined },
  },
  'steered-into-a-turn': {
    events: [
      { type: 'run.started', activations: ['acp:other'], agentId: 'demo' },
      { type: 'text.started', id: 't0', role: 'assistant' },
      { type: 'text.delta', id: 't0', delta: 'Working' },
      { type: 'input.taken', activation },
      { type: 'message.added', message: userMessage('m1', 'hi'), activation },
      { type: 'text.delta', id: 't0', delta: ' on both' },
      { type: 'text.ended', id: 't0' },
      ends(),
    ],
    opening: { run: undefined },
  },
  'second-tab': {
    before: {
      history: [userMessage('m0', 'hello'), userMessage('a0', 'Hello there', { role: 'assistant' })],
      state: { count: 3 },
    },
    events: [...begin, ...says('t1', 'Hi again'), ends()],
    opening: { copy: copyOf({ m0: 5, a0: 3, m1: 2 }) },
  },
  'another-sender': {
    events: [
      ...begin,
      { type: 'input.taken', activation: 'a2a:other' },
      { type: 'step.started', name: 'work' },
      { type: 'message.added', message: userMessage('m2', 'me too', { actor: 'bob' }), activation: 'a2a:other' },
      {
        type: 'message.added',
        message: userMessage('m3', '', {
          actor: 'bob',
          parts: [{ type: 'media', kind: 'image', source: { at: 'blob', blob: 'sha' }, mimeType: 'image/png' }],
        }),
        activation: 'a2a:other',
      },
      { type: 'step.finished', name: 'work' },
      ends(),
    ],
  },
  notices: {
    events: [
      ...begin,
      { type: 'thread.changed', title: 'Weather' },
      { type: 'notice', level: 'warning', text: 'slow today' },
      { type: 'compaction', summary: 'short' },
      { type: 'custom', name: 'acme:beat', value: null },
      { type: 'raw', event: { original: true }, source: 'acme' },
      ends(),
    ],
  },
};

describe.each(['1.x', '0.x'] as const)('what %s clients read', (era) => {
  it.each(Object.entries(stories))('in the story %s', { tags: 'stream-shows-everything' }, async (name, story) => {
    const log = new ThreadLog(story.before);
    log.append(...story.events);
    const sse = encodeLog(log, opening(era, story.opening), new Map([['sha', 'iVBORw0KGgo=']]));
    await expect(sse).toMatchFileSnapshot(`ag-ui/${name}.${era}.txt`);
    await readStream(era, sse, { threadId, runId: 'client-run-1' });
  });
});
