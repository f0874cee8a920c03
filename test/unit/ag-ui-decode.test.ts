import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decoded, decodeInput } from '../../adapters/ag-ui/decode.ts';
import { encodeMessage } from '../../adapters/ag-ui/messages.ts';
import { profiles } from '../../adapters/ag-ui/profile.ts';
import { ActivationRequest } from '../../schemas/activation.ts';
import { Fault } from '../../src/fault.ts';

const to = { agentId: 'demo', whenBusy: 'queue' } as const;
const minimal = { threadId: 't', runId: 'r', messages: [] };

function decode(more: object): Decoded {
  return decodeInput({ ...minimal, ...more }, to);
}

function faultOf(body: unknown): Fault {
  try {
    decodeInput(body, to);
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('it was decoded');
}

const user = (content: unknown): object => ({ messages: [{ id: 'm1', role: 'user', content }] });
const partsOf = (content: unknown): unknown => decode(user(content)).submission.messages[0]?.parts;

describe('decoding a run input', () => {
  it('makes a submission that the schema of requests accepts', () => {
    const { submission, warnings } = decode({
      protocolVersion: '1.0',
      parentRunId: 'parent',
      state: { count: 1 },
      messages: [
        { id: 'm1', role: 'user', content: 'hi', name: 'Ada' },
        {
          id: 'a1',
          role: 'assistant',
          toolCalls: [
            { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' }, encryptedValue: 'sealed' },
          ],
        },
        { id: 'x1', role: 'tool', toolCallId: 'c1', content: 'done', error: 'almost' },
        { id: 'r1', role: 'reasoning', content: 'hm', encryptedValue: 'sealed' },
        { id: 's1', role: 'system', content: 'be kind', subagentRunId: 'clerk', metadata: { key: null } },
      ],
      tools: [{ name: 'f', description: 'does', parameters: { type: 'object' } }],
      context: [{ description: 'where', value: 'here' }],
      forwardedProps: { any: ['thing', null] },
    });
    expect(warnings).toEqual([]);
    expect(submission).toMatchObject({
      ...to,
      threadId: 't',
      door: 'ag-ui',
      key: 'r',
      origin: 'user',
      messagesAre: 'whole',
      endsAt: 'waiting',
      priority: 128,
      state: { count: 1 },
      forwardedProps: { any: ['thing', null] },
      metadata: { parentRunId: 'parent' },
    });
    expect(ActivationRequest.safeParse({ scope: 'local', actor: 'ada', ...submission }).error).toBeUndefined();
  });

  it('needs no more than a thread, a run id and a message', { tags: 'bare-request-is-enough' }, () => {
    const bare = { threadId: 't', runId: 'r', messages: [{ id: 'm1', role: 'user', content: 'hi' }] };
    const { submission, warnings } = decodeInput(bare, to);
    expect(warnings).toEqual([]);
    expect(submission).toMatchObject({
      ...to,
      origin: 'user',
      messages: [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'hi' }] }],
      decisions: [],
      toolResults: [],
      tools: [],
      context: [],
      priority: 128,
    });
    expect(submission.state).toBeUndefined();
    expect(ActivationRequest.safeParse({ scope: 'local', actor: 'ada', ...submission }).error).toBeUndefined();
  });

  it('refuses or decodes any JSON, and refuses with a path', () => {
    const key = fc.constantFrom(
      'threadId',
      'runId',
      'messages',
      'id',
      'role',
      'content',
      'type',
      'tools',
      'resume',
      'x',
    );
    const { json } = fc.letrec<{ json: unknown }>((tie) => ({
      json: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue({ maxDepth: 1 }),
        fc.constantFrom('user', 'assistant', 'tool', 'text', 'image', 'data', 'binary', '', null),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(key, tie('json'), { maxKeys: 6 }),
      ),
    }));
    const body = fc.oneof(
      json,
      fc.record({ threadId: json, runId: json, messages: fc.array(json), state: json }, { requiredKeys: [] }),
      fc.record({
        threadId: fc.constant('t'),
        runId: fc.constant('r'),
        messages: fc.array(fc.dictionary(key, json, { maxKeys: 6 }), { maxLength: 3 }),
        resume: fc.array(fc.dictionary(key, json), { maxLength: 2 }),
      }),
    );
    fc.assert(
      fc.property(body, (given) => {
        try {
          decodeInput(given, to);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Fault);
          expect((thrown as Fault).code).toBe('invalid-request');
          expect((thrown as Fault).path).toMatch(/^\$/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    [[], '$'],
    [{ ...minimal, threadId: 1 }, '$.threadId'],
    [{ ...minimal, threadId: '' }, '$.threadId'],
    [{ ...minimal, threadId: '..' }, '$.threadId'],
    [{ ...minimal, threadId: 'half \ud83d' }, '$.threadId'],
    [{ ...minimal, runId: 'r'.repeat(513) }, '$.runId'],
    [{ ...minimal, runId: '\ude00 half' }, '$.runId'],
    [{ threadId: 't', runId: 'r' }, '$.messages'],
    [{ ...minimal, ...user(null) }, '$.messages[0].content'],
    [{ ...minimal, ...user([{ type: 'text' }]) }, '$.messages[0].content[0].text'],
    [
      { ...minimal, ...user([{ type: 'image', source: { type: 'data', value: 'AA' } }]) },
      '$.messages[0].content[0].source.mimeType',
    ],
    [{ ...minimal, messages: [{ role: 'user', content: 'x' }] }, '$.messages[0].id'],
    [{ ...minimal, messages: [{ id: 'm1', role: 'user', content: 'x', metadata: 1 }] }, '$.messages[0].metadata'],
    [{ ...minimal, messages: [{ id: 'm1', role: 'tool', content: 'x' }] }, '$.messages[0].toolCallId'],
    [
      {
        ...minimal,
        messages: [{ id: 'm1', role: 'assistant', toolCalls: [{ id: 'c', type: 'function', function: {} }] }],
      },
      '$.messages[0].toolCalls[0].function.name',
    ],
    [{ ...minimal, tools: [{ name: 'f' }] }, '$.tools[0].description'],
    [{ ...minimal, context: [{ description: 'd', value: 1 }] }, '$.context[0].value'],
    [{ ...minimal, resume: [{ interruptId: 'i', status: 'maybe' }] }, '$.resume[0].status'],
  ])('refuses %j at %s', (body, path) => {
    expect(faultOf(body)).toMatchObject({ code: 'invalid-request', path });
  });

  it('sets aside what it does not know, with a warning that says where', () => {
    const { submission, warnings } = decode({
      extra: 1,
      messages: [
        {
          id: 'm1',
          role: 'user',
          content: [
            { type: 'hologram', at: 1 },
            { type: 'text', text: 'hi' },
          ],
          mood: 'good',
        },
        { id: 'm2', role: 'narrator', content: 'once' },
        { id: 'm3', role: 'user', content: [{ type: 'image', source: { type: 'beam', value: 1 } }] },
        { id: 'm4', role: 'activity', activityType: 'PLAN', content: {} },
        { id: 'm1', role: 'user', content: 'again' },
      ],
    });
    expect(submission.messages.map(({ id, parts }) => [id, parts.length])).toEqual([
      ['m1', 1],
      ['m3', 0],
    ]);
    expect(warnings.map((warning) => warning.split(' ', 1)[0])).toEqual([
      '$.extra',
      '$.messages[0].mood',
      '$.messages[0].content[0]',
      '$.messages[1].role',
      '$.messages[2].content[0].source',
      '$.messages[3]',
      '$.messages[4]',
    ]);
  });

  it('takes null for what is left out', () => {
    const common = { encryptedValue: null, subagentRunId: null, metadata: null };
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const image = { type: 'image', source: { type: 'url', value: 'u' } };
    const binary = { type: 'binary', mimeType: 'image/png', data: 'AA' };
    const resume = { interruptId: 'i', status: 'resolved' };
    const withNulls = decode({
      protocolVersion: null,
      parentRunId: null,
      state: null,
      forwardedProps: null,
      context: null,
      tools: [{ name: 'f', description: 'd', parameters: null, metadata: null }],
      resume: [{ ...resume, payload: null, metadata: null }],
      messages: [
        { id: 'a1', role: 'assistant', content: null, name: null, toolCalls: null, ...common },
        { id: 'a2', role: 'assistant', ...common, toolCalls: [{ ...call, encryptedValue: null, metadata: null }] },
        { id: 'x1', role: 'tool', toolCallId: 'c1', content: 'done', ...common, error: null },
        {
          id: 'm1',
          role: 'user',
          content: [
            { ...image, source: { ...image.source, mimeType: null }, id: null, metadata: null },
            { ...binary, id: null, url: null, filename: null, metadata: null },
          ],
        },
      ],
    });
    const without = decode({
      tools: [{ name: 'f', description: 'd' }],
      resume: [resume],
      messages: [
        { id: 'a1', role: 'assistant' },
        { id: 'a2', role: 'assistant', toolCalls: [call] },
        { id: 'x1', role: 'tool', toolCallId: 'c1', content: 'done' },
        { id: 'm1', role: 'user', content: [image, binary] },
      ],
    });
    expect(withNulls).toEqual(without);
    expect(decode({ tools: null, resume: null })).toEqual(decode({}));
  });

  it.each([[undefined], [null], [{}]])('takes the state %j for no opinion', (state) => {
    expect(decode({ state }).submission.state).toBeUndefined();
  });

  it.each([[{ a: 1 }], [[]], [0], ['']])('takes the state %j for one', (state) => {
    expect(decode({ state }).submission.state).toEqual(state);
  });

  it('upgrades binary parts by their media type', () => {
    expect(
      partsOf([
        { type: 'binary', mimeType: 'image/png', data: 'AA', filename: 'a.png' },
        { type: 'binary', mimeType: 'audio/ogg', url: 'https://example.test/a' },
        { type: 'binary', mimeType: 'application/pdf', id: 'file-1' },
      ]),
    ).toEqual([
      { type: 'media', kind: 'image', source: { at: 'inline', data: 'AA' }, mimeType: 'image/png', filename: 'a.png' },
      { type: 'media', kind: 'audio', source: { at: 'url', url: 'https://example.test/a' }, mimeType: 'audio/ogg' },
      { type: 'media', kind: 'document', source: { at: 'file', file: 'file-1' }, mimeType: 'application/pdf' },
    ]);
  });

  it('takes a binary part beside its modern form once', () => {
    const modern = { type: 'image', source: { type: 'data', value: 'AA', mimeType: 'image/png' } };
    expect(partsOf([{ type: 'binary', mimeType: 'image/png', data: 'AA' }, modern])).toHaveLength(1);
  });

  it('keeps what a provider alone can resolve, and knows its own handles again', () => {
    expect(
      partsOf([
        { type: 'document', source: { type: 'file', value: 'f', provider: 'acme', mimeType: 'text/plain' } },
        { type: 'image', source: { type: 'file', value: 'sha', provider: 'anyport' } },
      ]),
    ).toEqual([
      { type: 'media', kind: 'document', source: { at: 'file', file: 'f', provider: 'acme' }, mimeType: 'text/plain' },
      { type: 'media', kind: 'image', source: { at: 'blob', blob: 'sha' } },
    ]);
  });

  it('reads back a user message as it was before a snapshot restated it', () => {
    const metadata = fc.option(fc.oneof(fc.constant({ a: 1, filename: 'x' }), fc.constant({})), { nil: undefined });
    const source = fc.oneof(
      fc.record({ type: fc.constant('data'), value: fc.string(), mimeType: fc.string() }),
      fc.record(
        { type: fc.constant('url'), value: fc.string(), mimeType: fc.string() },
        { requiredKeys: ['type', 'value'] },
      ),
      fc.record(
        { type: fc.constant('file'), value: fc.string(), provider: fc.string() },
        { requiredKeys: ['type', 'value'] },
      ),
    );
    const part = fc.oneof(
      fc.record({ type: fc.constant('text'), text: fc.string(), metadata }),
      fc.record({ type: fc.constantFrom('image', 'document'), source, metadata }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(part, { maxLength: 3 })), (content) => {
        const { parts } = decode(JSON.parse(JSON.stringify(user(content))) as object).submission.messages[0] ?? {
          parts: [],
        };
        const message = { id: 'm1', role: 'user' as const, actor: 'ada', door: 'ag-ui' as const, parts };
        const restated = encodeMessage(message, { profile: profiles['1.x'], lost: () => undefined, blobs: new Map() });
        const again = decode(JSON.parse(JSON.stringify({ messages: [restated] })) as object).submission.messages[0];
        // As the rules compare a client's copy with the thread.
        expect(JSON.stringify(again?.parts)).toBe(JSON.stringify(parts));
      }),
    );
  });

  it('finds results of client tools that stand ahead of what the thread has', () => {
    const call = (id: string, name: string): object => ({ id, type: 'function', function: { name, arguments: '{}' } });
    const { submission } = decode({
      tools: [{ name: 'show', description: 'shows' }],
      messages: [
        { id: 'm0', role: 'user', content: 'first' },
        { id: 'a0', role: 'assistant', toolCalls: [call('c0', 'show')] },
        { id: 'x0', role: 'tool', toolCallId: 'c0', content: 'old' },
        { id: 'm1', role: 'user', content: 'second' },
        { id: 'a1', role: 'assistant', toolCalls: [call('c1', 'show'), call('c2', 'look')] },
        { id: 'x1', role: 'tool', toolCallId: 'c1', content: 'shown' },
        { id: 'x2', role: 'tool', toolCallId: 'c2', content: 'seen' },
        { id: 'a2', role: 'assistant', content: 'there' },
        { id: 'm2', role: 'user', content: 'third' },
      ],
    });
    expect(submission.toolResults.map(({ toolCallId, messageId }) => [toolCallId, messageId])).toEqual([['c1', 'x1']]);
    expect(submission.messages).toHaveLength(9);
  });

  it('keeps resume entries as they are, the first answer to each interrupt', () => {
    const { resume, warnings } = decode({
      resume: [
        { interruptId: 'i1', status: 'resolved', payload: { approved: true }, metadata: {} },
        { interruptId: 'i2', status: 'cancelled' },
        { interruptId: 'i1', status: 'cancelled' },
      ],
    });
    expect(resume).toEqual([
      { interruptId: 'i1', status: 'resolved', payload: { approved: true } },
      { interruptId: 'i2', status: 'cancelled', payload: undefined },
    ]);
    expect(warnings).toHaveLength(1);
  });

  it('finds resume entries where LangGraph clients forward them', () => {
    const entries = [{ interruptId: 'i1', status: 'resolved', payload: 1 }, { interruptId: 7 }];
    const forwardedProps = { command: { resume: entries } };
    const { resume, submission } = decode({ forwardedProps });
    expect(resume).toEqual([{ interruptId: 'i1', status: 'resolved', payload: 1 }]);
    expect(submission.forwardedProps).toEqual(forwardedProps);
  });

  it('does not grow its warnings with the request', () => {
    const extras = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`extra-${index}`, 1]));
    expect(decode(extras).warnings).toHaveLength(50);
  });
});
