import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeInput } from '../../adapters/ag-ui/decode.ts';
import { RunEncoder } from '../../adapters/ag-ui/encode.ts';
import type { Opening } from '../../adapters/ag-ui/fold.ts';
import { encodeMessage } from '../../adapters/ag-ui/messages.ts';
import { profiles, type ProfileName } from '../../adapters/ag-ui/profile.ts';
import { textOf } from '../../schemas/part.ts';
import type { ThreadView } from '../../src/gateway.ts';
import { resumedRunLog, runLog } from '../support/ag-ui-arbitrary.ts';
import { parseSse, readStream, type Received, type WireObject } from '../support/ag-ui-client.ts';
import { type Entry, runId, ThreadLog, threadId, userMessage } from '../support/ag-ui-log.ts';
import { activation, clientCopy, encodeLog, opening, secondActivation } from '../support/ag-ui-stream.ts';

const own = [{ id: 'm1', role: 'user', content: 'hi' }];
const input = { threadId, runId: 'client-run-1', messages: own };

/** What a client must hold of a thread: its own display (activities) and reasoning that it may keep are left out. */
function messagesOf(era: ProfileName, view: ThreadView): Map<string, unknown> {
  const wording = { profile: profiles[era], lost: () => undefined, blobs: new Map<string, string>() };
  const messages = view.messages.flatMap((message) => encodeMessage(message, wording) ?? []);
  const kept = messages.filter(({ role }) => role !== 'reasoning' && role !== 'activity');
  return new Map(kept.map((message) => [message.id, essence(message as never)]));
}

function heldBy(received: Received): Map<string, unknown> {
  const kept = received.messages.filter(
    ({ role, id }) => role !== 'reasoning' && role !== 'activity' && !id.endsWith(':unanswered'),
  );
  return new Map(kept.map((message) => [message.id, essence(message as never)]));
}

/** Content and calls. Metadata of calls and errors of results travel in events, and are not in every snapshot. */
function essence(message: { role: string; content?: unknown; toolCalls?: { id: string; function: object }[] }): object {
  const { role, content, toolCalls = [] } = message;
  const calls = toolCalls.map(({ id, function: called }) => ({ id, called: { ...called } }));
  return { role, content: content === undefined || content === '' ? 'none' : content, calls };
}

function terminals(sse: string): number {
  return parseSse(sse).filter(({ event }) => event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR').length;
}

describe.each(['1.x', '0.x'] as const)('the stream of a run for %s clients', (era) => {
  beforeEach(() => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  function expectSame(received: Received, view: ThreadView): void {
    expect(vi.mocked(console.warn).mock.calls).toEqual([]);
    expect(received.state).toEqual(view.state);
    expect(heldBy(received)).toEqual(messagesOf(era, view));
    const reasoning = new Map(
      received.messages.map(({ id, content, encryptedValue }) => [id, { content, encryptedValue }]),
    );
    for (const { id, role, parts, encrypted } of view.messages) {
      if (role === 'reasoning')
        expect(reasoning.get(id)).toEqual({ content: textOf(parts), encryptedValue: encrypted?.value });
    }
  }

  it(
    'is accepted by the stock client, which ends with what the thread holds',
    {
      tags: ['stream-is-well-formed', 'stream-shows-everything', 'nothing-follows-the-end', 'stream-ends-with-its-run'],
    },
    async () => {
      await fc.assert(
        fc.asyncProperty(runLog(true), async (log) => {
          const sse = encodeLog(log, opening(era));
          expect(terminals(sse)).toBe(1);
          expectSame(await readStream(era, sse, input), log.view(runId, log.head));
        }),
        { numRuns: 150 },
      );
    },
  );

  it('is accepted by the stock client, whatever an agent says about who wrote what', async () => {
    await fc.assert(
      fc.asyncProperty(runLog(false), async (log) => {
        const sse = encodeLog(log, opening(era));
        expect(terminals(sse)).toBe(1);
        await readStream(era, sse, input);
        expect(encodeLog(log, opening(era))).toBe(sse);
        const ids = parseSse(sse).map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 150 },
    );
  });

  it('goes on in the stream of the request that resumes it', { tags: 'stream-is-well-formed' }, async () => {
    await fc.assert(
      fc.asyncProperty(resumedRunLog, async ({ log, waitsAt }) => {
        const first = await readStream(era, encodeLog(log, opening(era)), input);
        expect(first.interrupts.map(({ id }) => id)).toEqual(['tkt-1']);
        const { messages, state } = first;
        const body = { threadId, runId: 'client-run-2', messages, state };
        const { copy } = decodeInput(body, { agentId: 'demo', whenBusy: 'queue' });
        const sse = encodeLog(
          log,
          opening(era, { activation: secondActivation, runId: 'client-run-2', afterSeq: waitsAt, copy }),
        );
        expect(terminals(sse)).toBe(1);
        expectSame(await readStream(era, sse, body), log.view(runId, log.head));
      }),
      { numRuns: 150 },
    );
  });
});

describe('an encoder', () => {
  const begin: readonly Entry[] = [
    { type: 'run.started', activations: [activation], agentId: 'demo' },
    { type: 'message.added', message: userMessage('m1', 'hi'), activation },
  ];

  /** What is written of these events, without the prelude. */
  function encode(entries: readonly Entry[], more: Partial<Opening> = {}): WireObject[] {
    const log = new ThreadLog();
    log.append(...begin, ...entries);
    const [, ...events] = parseSse(encodeLog(log, opening('1.x', more))).map(({ event }) => event);
    return events;
  }

  it('restates a call whose arguments are others than were streamed', () => {
    const events = encode([
      { type: 'tool.started', id: 'c1', name: 'f', runBy: 'agent' },
      { type: 'tool.args', id: 'c1', delta: '{"a":' },
      { type: 'tool.called', id: 'c1', args: '{}' },
    ]);
    expect(events.map(({ type }) => type)).toEqual([
      'TOOL_CALL_START',
      'TOOL_CALL_ARGS',
      'TOOL_CALL_END',
      'MESSAGES_SNAPSHOT',
    ]);
    expect(events.at(-1)).toMatchObject({ messages: [{}, { toolCalls: [{ function: { arguments: '{}' } }] }] });
  });

  it('completes streamed arguments with what was not streamed', () => {
    const events = encode([
      { type: 'tool.started', id: 'c1', name: 'f', runBy: 'agent' },
      { type: 'tool.args', id: 'c1', delta: '{"a"' },
      { type: 'tool.called', id: 'c1', args: '{"a":1}' },
    ]);
    expect(events.map(({ delta }) => delta).filter((delta) => delta !== undefined)).toEqual(['{"a"', ':1}']);
  });

  it('sends the state where a patch of it is none to AG-UI', () => {
    const patch = [
      { op: 'add' as const, path: '/a', value: 1 },
      { op: 'copy' as const, path: '/b' },
    ];
    const log = new ThreadLog();
    log.append(...begin, { type: 'step.started', name: 's' }, { type: 'state.delta', patch, origin: 'agent' });
    const encoder = new RunEncoder(opening('1.x'));
    const view: ThreadView = { messages: log.view(runId, 2).messages, state: { a: 1 }, tickets: [] };
    const frames = log.events.flatMap((event) => encoder.encode(event, { view, blobs: new Map() }));
    expect(encoder.needsView({ ...log.events.at(-1), seq: 5 } as never)).toEqual({ runId, seq: 5 });
    expect(parseSse(frames.join('')).at(-1)?.event).toMatchObject({ type: 'STATE_SNAPSHOT', snapshot: { a: 1 } });
  });

  it('shows results that other clients send, and not the ones that its own sent', () => {
    const result: Entry = {
      type: 'tool.result',
      id: 'c0',
      messageId: 'x0',
      status: 'ok',
      parts: [],
      origin: 'client',
    };
    const late: readonly Entry[] = [{ type: 'step.started', name: 's' }, result];
    const own = { ...clientCopy, answeredCalls: new Set(['c0']) };
    expect(encode(late).map(({ type }) => type)).toContain('TOOL_CALL_RESULT');
    expect(encode(late, { copy: own }).map(({ type }) => type)).not.toContain('TOOL_CALL_RESULT');
  });

  it('leaves a frame that a client would fail at unsent', () => {
    const big = 'x'.repeat(1000);
    const entries: readonly Entry[] = [
      { type: 'text.started', id: 't1', role: 'assistant' },
      { type: 'text.delta', id: 't1', delta: big },
    ];
    expect(() => encode(entries, { maxFrameChars: 500 })).toThrow(expect.objectContaining({ code: 'too-large' }));
  });

  it('says once what its client is too old for', () => {
    const lost: string[] = [];
    const log = new ThreadLog();
    log.append(
      ...begin,
      { type: 'subagent.started', id: 's1', name: 'clerk' },
      { type: 'subagent.finished', id: 's1' },
    );
    encodeLog(log, opening('0.x', { lost: (what) => lost.push(what) }));
    expect(lost).toEqual(['that subagents start and finish']);
  });
});
