import type * as acp from '@agentclientprotocol/sdk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UpdateEncoder } from '../../adapters/acp/encode.ts';
import type { EncoderOptions } from '../../adapters/acp/fold.ts';
import { encodeHistory } from '../../adapters/acp/history.ts';
import { encodeOwnCall } from '../../adapters/acp/questions.ts';
import type { Message } from '../../schemas/message.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { approval, resumedRunLog, runLog } from '../support/ag-ui-arbitrary.ts';
import { type Entry, runId, ThreadLog, userMessage } from '../support/ag-ui-log.ts';
import { Screen } from '../support/acp-screen.ts';
import { assertValid } from '../support/acp-schema.ts';

const everything: EncoderOptions = {
  isOwn: (id) => id === 'acp:1',
  notices: true,
  compaction: true,
  ownCallOf: (ticket) => encodeOwnCall(ticket, { sessionId: 's', form: true, url: true }),
};

function encode(entries: readonly Entry[], options: Partial<EncoderOptions> = {}): acp.SessionUpdate[] {
  const log = new ThreadLog();
  log.append(...entries);
  const encoder = new UpdateEncoder({ ...everything, ...options });
  const updates = log.events.flatMap((event) => encoder.encode(event));
  for (const update of updates) assertValid('SessionNotification', { sessionId: 's', update });
  return updates;
}

const begins = (id: string, more: Partial<Entry & { type: 'tool.started' }> = {}): Entry => ({
  type: 'tool.started',
  id,
  name: 'search',
  runBy: 'agent',
  ...more,
});
const result = (id: string, more: Partial<Entry & { type: 'tool.result' }> = {}): Entry => ({
  type: 'tool.result',
  id,
  messageId: `${id}-result`,
  status: 'ok',
  parts: [{ type: 'text', text: 'rain' }],
  origin: 'agent',
  ...more,
});
const shows = (text: string): acp.ToolCallContent => ({ type: 'content', content: { type: 'text', text } });
const ends = (pendingToolCalls: string[] = []): Entry => ({
  type: 'run.finished',
  outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls },
});
const says = (id: string, text: string): Entry[] => [
  { type: 'text.started', id, role: 'assistant' },
  { type: 'text.delta', id, delta: text },
  { type: 'text.ended', id },
];

/** One of every event. */
const story: readonly Entry[] = [
  { type: 'run.queued', activation: 'acp:1' },
  { type: 'run.started', activations: ['acp:1'], agentId: 'demo' },
  { type: 'message.added', message: userMessage('m1', 'mine'), activation: 'acp:1' },
  { type: 'input.staged', activation: 'ag-ui:2', messageIds: ['m2'], actor: 'bob', door: 'ag-ui' },
  { type: 'input.edited', activation: 'ag-ui:2', revision: 2 },
  { type: 'input.taken', activation: 'ag-ui:2' },
  { type: 'message.added', message: userMessage('m2', 'from elsewhere', { actor: 'bob' }), activation: 'ag-ui:2' },
  { type: 'input.retracted', activation: 'ag-ui:3', by: 'bob' },
  { type: 'reasoning.started', id: 'r1' },
  { type: 'reasoning.delta', id: 'r1', delta: 'Hm' },
  { type: 'reasoning.ended', id: 'r1' },
  { type: 'encrypted', entity: 'message', id: 'r1', value: 'sealed' },
  ...says('t1', 'Hello'),
  { type: 'text.started', id: 't2', role: 'assistant' },
  { type: 'part.added', messageId: 't2', part: { type: 'link', uri: 'https://example.test', name: 'there' } },
  { type: 'text.ended', id: 't2' },
  begins('c1', { title: 'Searches', kind: 'search', locations: [{ path: '/a', line: 3 }, { path: '/b' }] }),
  { type: 'tool.args', id: 'c1', delta: '{"city"' },
  { type: 'tool.called', id: 'c1', args: '{"city":"Oslo"}' },
  { type: 'tool.updated', id: 'c1', status: 'in_progress', title: 'Searches on', locations: [{ path: '/c' }] },
  { type: 'tool.output', id: 'c1', stream: 'stdout', delta: 'one\n' },
  { type: 'tool.output', id: 'c1', stream: 'stderr', delta: 'two\n' },
  result('c1', { parts: [{ type: 'data', json: { rain: true } }] }),
  { type: 'ticket.opened', ticket: approval },
  { type: 'run.waiting', ticketIds: [approval.id] },
  { type: 'ticket.closed', ticketId: approval.id, how: 'answered', by: {} },
  { type: 'run.resumed', cause: 'decision' },
  { type: 'state.snapshot', state: { a: 1 }, origin: 'agent' },
  { type: 'state.delta', patch: [], origin: 'agent' },
  { type: 'plan', planId: 'p1', entries: [{ content: 'do', priority: 'high', status: 'in_progress' }] },
  { type: 'activity.snapshot', id: 'a1', activityType: 'x', content: {} },
  { type: 'activity.delta', id: 'a1', activityType: 'x', patch: [] },
  { type: 'artifact', id: 'f1', name: 'a.md', parts: [{ type: 'text', text: '# ' }], append: false, last: false },
  { type: 'artifact', id: 'f1', parts: [{ type: 'text', text: 'A' }], append: true, last: true },
  { type: 'step.started', name: 'work' },
  { type: 'step.finished', name: 'work' },
  { type: 'subagent.started', id: 's1', name: 'clerk', description: 'Files it' },
  { type: 'subagent.finished', id: 's1', result: { filed: 1 } },
  { type: 'subagent.started', id: 's2', name: 'cook' },
  { type: 'subagent.failed', id: 's2', fault: { code: 'agent-failed', message: 'burnt', retryable: true } },
  { type: 'usage', provider: 'p', model: 'm', tokens: { input: 3 }, cost: { amount: 1, currency: 'USD' } },
  {
    type: 'usage',
    provider: 'p',
    model: 'm',
    tokens: {},
    window: { used: 10.4, size: 100 },
    cost: { amount: 0.5, currency: 'USD' },
  },
  {
    type: 'thread.changed',
    title: 'Weather',
    settings: { mode: 'plan', options: {} },
    workspace: { cwd: '/', additionalDirectories: [] },
    commands: [
      { name: 'web', description: 'Searches the web', hint: 'what for' },
      { name: 'stop', description: 'Stops' },
    ],
  },
  { type: 'thread.branched' },
  { type: 'notice', level: 'warning', text: 'slow today\nvery' },
  { type: 'compaction', summary: 'short' },
  { type: 'custom', name: 'x', value: 1 },
  { type: 'raw', event: {} },
  { type: 'run.retrying', nextAttempt: 2, retryAtMs: 1 },
  { type: 'attempt.discarded', itemIds: ['t1', 'c1', 'c1-result', 'p1'] },
  ...says('t1', 'Hello again'),
  { type: 'run.stopping', reason: 'cancelled', by: 'ada' },
  { type: 'run.finished', outcome: { type: 'cancelled', by: 'ada', reason: 'cancelled' } },
];

it('a log is told as recorded', async () => {
  const updates = encode(story);
  await expect(`${JSON.stringify(updates, null, 2)}\n`).toMatchFileSnapshot('../golden/acp/session.json');
});

describe('words', () => {
  it('are who says them', () => {
    const roles = ['user', 'assistant', 'reasoning', 'system', 'developer'] as const;
    const updates = encode(
      roles.flatMap((role): Entry[] => [
        { type: 'text.started', id: role, role },
        { type: 'text.delta', id: role, delta: 'x' },
        { type: 'part.added', messageId: role, part: { type: 'link', uri: 'u', name: 'n' } },
      ]),
    );
    expect(updates.map(({ sessionUpdate }) => sessionUpdate)).toEqual(
      ['user_message_chunk', 'agent_message_chunk', 'agent_thought_chunk'].flatMap((one) => [one, one]),
    );
  });

  it('hold no half of a character', () => {
    const deltas = ['a\ud83d', '\ude00b', '', '\ud83d', '\ude00', 'c\ud83d'];
    const updates = encode([
      { type: 'text.started', id: 't', role: 'assistant' },
      ...deltas.map((delta): Entry => ({ type: 'text.delta', id: 't', delta })),
      { type: 'text.ended', id: 't' },
    ]);
    expect(updates.map((update) => 'content' in update && update.content)).toEqual(
      ['a', '\u{1f600}b', '\u{1f600}', 'c'].map((text) => ({ type: 'text', text })),
    );
  });

  it('that another client brings along are told with their calls and results, which are told once', () => {
    const calls = [{ id: 'c1', name: 'f', args: '{' }];
    const brought = (message: Partial<Message> & Pick<Message, 'id' | 'role'>): Entry => ({
      type: 'message.added',
      message: { seq: 1, actor: 'bob', parts: [{ type: 'text', text: message.id }], ...message },
      activation: 'ag-ui:2',
    });
    const screen = new Screen(
      encode([
        begins('c0', { runBy: 'client' }),
        result('c0', { origin: 'client' }),
        brought({ id: 'c0-result', role: 'tool', toolCallId: 'c0' }),
        brought({ id: 'greeting', role: 'assistant', toolCalls: calls }),
        brought({ id: 'sunny', role: 'tool', toolCallId: 'c1', error: 'denied' }),
        brought({ id: 'secret', role: 'system' }),
      ]),
    );
    expect([...screen.messages.keys()]).toEqual(['greeting']);
    expect(screen.calls.get('c0')?.content).toEqual([shows('rain')]);
    expect(screen.calls.get('c1')).toEqual({ status: 'failed', content: [shows('sunny')], rawInput: { text: '{' } });
  });
});

describe('a tool call', () => {
  const called = (args: string): unknown =>
    encode([begins('c'), { type: 'tool.called', id: 'c', args }]).map(
      (update) => 'rawInput' in update && update.rawInput,
    )[1];

  it.each([
    ['{"a":[1]}', { a: [1] }],
    ['', {}],
    ['5', 5],
    ['{"a":', { text: '{"a":' }],
  ])('with the arguments %j is given %j', (args, rawInput) => {
    expect(called(args)).toEqual(rawInput);
  });

  it('shows its output as far as it came, and no more than the end of it', () => {
    const outputs = ['x'.repeat(9000), '\u{1f600}', 'y'.repeat(8191)];
    const updates = encode([
      begins('c'),
      ...outputs.map((delta): Entry => ({ type: 'tool.output', id: 'c', stream: 'stdout', delta })),
    ]);
    const texts = updates.flatMap((update) =>
      update.sessionUpdate === 'tool_call_update' ? (update.content ?? []) : [],
    );
    expect(texts).toEqual(
      ['x'.repeat(8192), `${'x'.repeat(8190)}\u{1f600}`, 'y'.repeat(8191)].map((text) => shows(`…${text}`)),
    );
  });

  it.each([
    ['ok', [], undefined, 'completed', [shows('so far')]],
    ['ok', [{ type: 'text', text: 'rain' }], undefined, 'completed', [shows('rain')]],
    ['error', [], 'no net', 'failed', [shows('so far'), shows('no net')]],
    ['error', [{ type: 'text', text: 'rain' }], 'no net', 'failed', [shows('rain'), shows('no net')]],
    ['denied', [], undefined, 'failed', [shows('so far'), shows('It was denied.')]],
    ['cancelled', [{ type: 'text', text: 'rain' }], undefined, 'failed', [shows('rain')]],
  ] as const)('that came to %s with %j and %j is %s', (status, parts, error, shown, content) => {
    const screen = new Screen(
      encode([
        begins('c'),
        { type: 'tool.output', id: 'c', stream: 'progress', delta: 'so far' },
        result('c', { status, parts: [...parts], error }),
      ]),
    );
    expect(screen.calls.get('c')).toMatchObject({ status: shown, content });
  });

  it.each([
    [{ type: 'data', json: [1] }, [1]],
    [{ type: 'text', text: ' {"a":1}' }, { a: 1 }],
    [{ type: 'text', text: '{no json' }, undefined],
    [{ type: 'text', text: '42' }, undefined],
  ] as const)('whose result is %j gives it raw as %j', (part, rawOutput) => {
    const [, update] = encode([begins('c'), result('c', { parts: [part as { type: 'text'; text: string }] })]);
    expect(update).toEqual({ ...update, ...(rawOutput === undefined ? {} : { rawOutput }) });
    expect(Object.keys(update ?? {}).includes('rawOutput')).toBe(rawOutput !== undefined);
  });

  it('that is left to a client is pending until that answers, in a later run', () => {
    const left: Entry[] = [begins('c', { runBy: 'client' }), { type: 'tool.called', id: 'c', args: '{}' }, ends(['c'])];
    expect(new Screen(encode(left)).calls.get('c')?.status).toBe('pending');
    const later = result('c', { runId: 'run-2', origin: 'client' });
    expect(new Screen(encode([...left, later])).calls.get('c')?.status).toBe('completed');
  });

  it('that nothing answers has failed when its run ends, and so has what else is open', () => {
    const open: Entry[] = [
      begins('c'),
      { type: 'tool.updated', id: 'c', content: [{ type: 'diff', op: 'add', path: '/a', newText: 'b' }] },
      { type: 'step.started', name: 'work' },
      { type: 'subagent.started', id: 's1', name: 'clerk' },
      { type: 'subagent.finished', id: 's1', suspended: ['tkt-1'] },
    ];
    const finished = [...new Screen(encode([...open, ends()])).calls.values()];
    expect(finished.map(({ status }) => status)).toEqual(['failed', 'completed', 'completed']);
    expect(finished[0]?.content).toEqual([
      { type: 'diff', path: '/a', oldText: null, newText: 'b' },
      shows('It was not answered.'),
    ]);
    const stopped: Entry = { type: 'run.finished', outcome: { type: 'cancelled', by: 'ada', reason: 'cancelled' } };
    const cancelled = [...new Screen(encode([...open, stopped])).calls.values()];
    expect(cancelled.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed']);
  });

  it('of a subagent that waited goes on under its name', () => {
    const screen = new Screen(
      encode([
        { type: 'subagent.started', id: 's1', name: 'clerk' },
        { type: 'subagent.finished', id: 's1', suspended: ['tkt-1'] },
        { type: 'subagent.started', id: 's1', name: 'clerk' },
      ]),
    );
    expect([...screen.calls.values()].map(({ status }) => status)).toEqual(['in_progress']);
  });
});

describe('what a new attempt discards', () => {
  const discards = (...itemIds: string[]): Entry => ({ type: 'attempt.discarded', itemIds });

  it('is told anew under another name', () => {
    const screen = new Screen(
      encode([...says('t', 'one'), discards('t'), ...says('t', 'two'), discards('t'), ...says('t', 'three')]),
    );
    expect([...screen.messages.keys()]).toEqual(['t', 't~2', 't~3']);
  });

  it('has failed, where it is a call that is open, and is another call when it is made again', () => {
    const log = new ThreadLog();
    log.append(begins('c'), discards('c'), begins('c'), result('c'));
    const encoder = new UpdateEncoder(everything);
    const screen = new Screen(log.events.flatMap((event) => encoder.encode(event)));
    expect([...screen.calls].map(([id, { status }]) => [id, status])).toEqual([
      ['c', 'failed'],
      ['c~2', 'completed'],
    ]);
    expect(encoder.nameOf('c')).toBe('c~2');
    expect(encoder.nameOf('d')).toBe('d');
  });

  it('is taken back, where it is the result of a call that stays, or its output', () => {
    const made: Entry[] = [begins('c'), { type: 'tool.called', id: 'c', args: '{}' }];
    const output: Entry = { type: 'tool.output', id: 'c', stream: 'stdout', delta: 'one' };
    const screen = new Screen(encode([...made, output, result('c'), discards('c-result')]));
    expect(screen.calls.get('c')).toMatchObject({ status: 'in_progress', content: [] });
    const ended = new Screen(encode([...made, output, result('c'), discards('c-result'), ends()]));
    expect(ended.calls.get('c')).toMatchObject({ status: 'failed', content: [shows('It was not answered.')] });
    const silent = new Screen(encode([...made, output, discards(), result('c', { parts: [] })]));
    expect(silent.calls.get('c')).toMatchObject({ status: 'completed', content: [] });
  });

  it('is shown no more where it is the plan, and is noticed by clients that take notices', () => {
    const entries: Entry[] = [
      { type: 'plan', planId: 'p', entries: [{ content: 'do', priority: 'low', status: 'pending' }] },
      {
        type: 'run.retrying',
        nextAttempt: 2,
        retryAtMs: 1,
        fault: { code: 'agent-failed', message: 'no net', retryable: true },
      },
      discards('p'),
    ];
    const updates = encode(entries);
    expect(new Screen(updates).plan).toEqual([]);
    const notices = updates.filter(({ sessionUpdate }) => sessionUpdate === 'notice');
    expect(notices).toMatchObject([{ severity: 'warning', description: 'no net' }, { severity: 'warning' }]);
    const kinds = encode(entries, { notices: false }).map(({ sessionUpdate }) => sessionUpdate);
    expect(kinds).toEqual(['plan', 'plan']);
  });
});

describe('a session', () => {
  it('is told what its client can show alone', () => {
    const entries: Entry[] = [
      { type: 'notice', level: 'error', text: 'slow' },
      { type: 'notice', level: 'info', text: ' ' },
      { type: 'compaction' },
    ];
    expect(encode(entries).map(({ sessionUpdate }) => sessionUpdate)).toEqual(['notice', 'compaction_update']);
    expect(encode(entries, { notices: false, compaction: false })).toEqual([]);
  });

  it('has a title until that is taken away', () => {
    const titles = encode([
      { type: 'thread.changed', title: 'Weather' },
      { type: 'thread.changed', title: '' },
    ]);
    expect(titles).toEqual([
      { sessionUpdate: 'session_info_update', title: 'Weather', updatedAt: '2023-11-14T22:13:20.001Z' },
      { sessionUpdate: 'session_info_update', title: null, updatedAt: '2023-11-14T22:13:20.002Z' },
    ]);
  });

  it('has the settings that its agent knows', () => {
    const changed: Entry = { type: 'thread.changed', settings: { mode: 'plan', options: { model: 'a' } } };
    expect(encode([changed])).toEqual([{ sessionUpdate: 'current_mode_update', currentModeId: 'plan' }]);
    const settings: EncoderOptions['settings'] = ({ options }) => [
      { sessionUpdate: 'session_info_update', _meta: options },
    ];
    expect(encode([changed], { settings })).toEqual([{ sessionUpdate: 'session_info_update', _meta: { model: 'a' } }]);
  });

  it('shows an artifact that is replaced anew', () => {
    const artifact = (text: string, append: boolean): Entry => ({
      type: 'artifact',
      id: 'f',
      parts: [{ type: 'text', text }],
      append,
      last: false,
    });
    const screen = new Screen(encode([artifact('a', false), artifact('b', true), artifact('c', false)]));
    const texts = [...screen.messages].map(([id, { blocks }]) => [id, blocks]);
    expect(texts).toEqual([
      ['f', [{ type: 'text', text: 'ab' }]],
      ['f~2', [{ type: 'text', text: 'c' }]],
    ]);
  });
});

describe('history', () => {
  const message = (more: Partial<Message> & Pick<Message, 'id' | 'role'>): Message => ({
    seq: 1,
    actor: 'ada',
    parts: [{ type: 'text', text: more.id }],
    runId,
    ...more,
  });
  const call = { id: 'c', name: 'search', args: '{"q":1}' };

  it('is each message in its order, and no instruction', () => {
    const screen = new Screen(
      encodeHistory([
        message({ id: 'system', role: 'system' }),
        message({
          id: 'user',
          role: 'user',
          excluded: true,
          parts: [
            { type: 'text', text: 'a' },
            { type: 'link', uri: 'u', name: 'n' },
          ],
        }),
        message({ id: 'thought', role: 'reasoning' }),
        message({ id: 'agent', role: 'assistant', toolCalls: [call] }),
        message({ id: 'result', role: 'tool', toolCallId: 'c' }),
        message({
          id: 'plan',
          role: 'activity',
          activity: { shows: 'plan' },
          parts: [{ type: 'data', json: [{ content: 'do', priority: 'low', status: 'pending' }] }],
        }),
        message({ id: 'file', role: 'activity', activity: { shows: 'artifact', isComplete: true } }),
        message({ id: 'other', role: 'activity', activity: { shows: 'activity', activityType: 'x' } }),
        message({ id: 'empty', role: 'assistant', parts: [] }),
      ]),
    );
    expect([...screen.messages].map(([id, { said, blocks }]) => [id, said, blocks.length])).toEqual([
      ['user', 'user_message_chunk', 2],
      ['thought', 'agent_thought_chunk', 1],
      ['agent', 'agent_message_chunk', 1],
      ['file', 'agent_message_chunk', 1],
    ]);
    expect(screen.calls.get('c')).toEqual({ status: 'completed', content: [shows('result')], rawInput: { q: 1 } });
    expect(screen.plan).toEqual([{ content: 'do', priority: 'low', status: 'pending' }]);
  });

  it('shows a call that may still be answered as open, and another one as failed', () => {
    const asked = [message({ id: 'agent', role: 'assistant', toolCalls: [call] })];
    const statusIn = (open?: Parameters<typeof encodeHistory>[1]): string | undefined =>
      new Screen(encodeHistory(asked, open)).calls.get('c')?.status;
    expect(statusIn()).toBe('failed');
    expect(statusIn({ runId: 'run-2' })).toBe('failed');
    expect(statusIn({ runId })).toBe('in_progress');
    expect(statusIn({ runId: 'run-2', pending: ['c'] })).toBe('pending');
  });
});

it('who was told the thread as it is is told the rest under the same names', () => {
  const log = new ThreadLog();
  log.append(
    { type: 'step.started', name: 'work' },
    begins('c'),
    ...says('t', 'wrong'),
    { type: 'attempt.discarded', itemIds: ['c', 't'] },
    { type: 'step.started', name: 'work' },
    begins('c'),
    { type: 'tool.output', id: 'c', stream: 'stdout', delta: 'so ' },
    { type: 'text.started', id: 't', role: 'user' },
  );
  const encoder = new UpdateEncoder(everything);
  for (const event of log.events) encoder.recall(event);
  const rest = log.append(
    { type: 'step.finished', name: 'work' },
    { type: 'tool.output', id: 'c', stream: 'stdout', delta: 'far' },
    { type: 'text.delta', id: 't', delta: 'right' },
  );
  expect(tell(rest, encoder)).toEqual([
    { sessionUpdate: 'tool_call_update', toolCallId: 'c', content: [shows('so far')] },
    { sessionUpdate: 'user_message_chunk', content: { type: 'text', text: 'right' }, messageId: 't' },
  ]);
});

/** What was shown under a name, whatever it was called when it was told again. */
function latest<Shown>(shown: ReadonlyMap<string, Shown>): Map<string, Shown> {
  const found = new Map<string, Shown>();
  for (const [name, one] of shown) found.set(name.replace(/~\d+$/, ''), one);
  return found;
}

function tell(events: readonly RunEvent[], encoder = new UpdateEncoder(everything)): acp.SessionUpdate[] {
  return events.flatMap((event) => encoder.encode(event));
}

/** History has a message's words before its other parts. A half of a character that nothing completes is not told live. */
function essence(shown: ReturnType<Screen['messages']['get']>): object | undefined {
  const blocks = shown?.blocks ?? [];
  const words = blocks.map((block) => (block.type === 'text' ? block.text : '')).join('');
  const characters = [...words].filter((character) => character !== '\ud83d').toSorted();
  const others = blocks.filter(({ type }) => type !== 'text');
  if (characters.length + others.length === 0) return undefined;
  return { said: shown?.said, characters, others };
}

describe('any log', () => {
  it('is told as ACP has it, and the same each time', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          runLog(false),
          resumedRunLog.map(({ log }) => log),
        ),
        ({ events }) => {
          const screen = new Screen(tell(events));
          expect(tell(events)).toEqual(tell(events));
          const last = events.at(-1);
          if (last?.type !== 'run.finished') return;
          const open = [...screen.calls].filter(([, { status }]) => status === 'pending' || status === 'in_progress');
          const left = last.outcome.type === 'completed' ? last.outcome.pendingToolCalls : [];
          expect([...latest(new Map(open)).keys()].toSorted()).toEqual(left.toSorted());
        },
      ),
      { numRuns: 150 },
    );
  });

  it('shows in the end what its history shows', () => {
    fc.assert(
      fc.property(runLog(true), (log) => {
        const live = new Screen(tell(log.events));
        const history = new Screen(encodeHistory(log.view(runId, log.head).messages, { runId }));
        const messages = latest(live.messages);
        for (const [id, message] of history.messages) {
          const words = essence(message);
          if (words !== undefined) expect(essence(messages.get(id))).toEqual(words);
        }
        const calls = latest(live.calls);
        for (const [id, { rawInput, status, content }] of history.calls) {
          const shown = calls.get(id);
          if (status !== 'completed' && status !== 'failed') continue;
          expect(shown).toMatchObject({ rawInput, status });
          expect(shown?.content.slice(shown.content.length - content.length)).toEqual(content);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('goes on after its history, wherever somebody joins', () => {
    fc.assert(
      fc.property(runLog(true), fc.nat(), (log, at) => {
        const seq = at % (log.head + 1);
        const encoder = new UpdateEncoder(everything);
        const screen = new Screen(encodeHistory(log.view(runId, seq).messages, { runId }));
        for (const event of log.events.slice(0, seq)) encoder.recall(event);
        for (const update of encoder.standing()) screen.take(update);
        for (const update of tell(log.events.slice(seq), encoder)) screen.take(update);
      }),
      { numRuns: 150 },
    );
  });
});
