import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import type { Submission } from '../../src/gateway.ts';
import { Fault } from '../../src/fault.ts';
import { approval } from '../support/ag-ui-arbitrary.ts';
import { parseSse, runStockClient, type WireObject } from '../support/ag-ui-client.ts';
import { FakeGateway, type OnSubmit, receiptFor } from '../support/ag-ui-fake-gateway.ts';
import { type Entry, runId, threadId, userMessage } from '../support/ag-ui-log.ts';
import { serve, type TestServer } from '../support/ag-ui-server.ts';

const hi = { id: 'm1', role: 'user', content: 'hi' };
const body = { threadId, runId: 'r1', protocolVersion: '1.0', messages: [hi] };

const starts = ({ key }: Pick<Submission, 'key'>): readonly Entry[] => [
  { type: 'run.started', activations: [`ag-ui:${key}`], agentId: 'demo' },
  { type: 'message.added', message: userMessage('m1', 'hi'), activation: `ag-ui:${key}` },
];
const says = (...words: readonly string[]): readonly Entry[] => [
  { type: 'text.started', id: 't1', role: 'assistant' },
  ...words.map((delta): Entry => ({ type: 'text.delta', id: 't1', delta })),
  { type: 'text.ended', id: 't1' },
];
const ended: Entry = { type: 'run.finished', outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls: [] } };

/** Accepts every request and answers it at once. */
const answers: OnSubmit = (submission, gateway) => {
  const afterSeq = gateway.log.head;
  gateway.append(...starts(submission), ...says('hel', 'lo'), ended);
  return receiptFor(submission, { afterSeq });
};
/** Accepts every request and leaves the rest to the test. */
const accepts: OnSubmit = (submission, gateway) => receiptFor(submission, { afterSeq: gateway.log.head });

type Init = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> };

function post(server: TestServer, more: object = {}, init: Init = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...init.headers };
  return fetch(server.url('/demo'), { method: 'POST', body: JSON.stringify({ ...body, ...more }), ...init, headers });
}

/** Reads a body until what has come satisfies a condition. */
async function readUntil(response: Response, isEnough: (text: string) => boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (isEnough(text)) return text;
  }
  throw new Error(`the body ended with ${text}`);
}

function types(sse: string): string[] {
  return parseSse(sse).map(({ event }) => event.type);
}

function terminalOf(sse: string): WireObject | undefined {
  return parseSse(sse).at(-1)?.event;
}

describe.each(['1.x', '0.x'] as const)('the stock %s client', (era) => {
  it('runs an agent over HTTP', { tags: 'stream-ends-with-its-run' }, async () => {
    const gateway = new FakeGateway(answers);
    await using server = await serve(gateway);
    const url = server.url('/demo');
    const received = await runStockClient(era, { url, threadId, runId: 'r1', messages: [hi] });
    expect(received.messages).toMatchObject([hi, { id: 't1', role: 'assistant', content: 'hello' }]);
    expect(gateway.submissions).toMatchObject([{ key: 'r1', agentId: 'demo', threadId }]);
    expect(gateway.principals).toEqual([{ scope: 'local', actor: 'ada' }]);
  });

  it(
    'answers an interrupt, and gets the result of the call that it approved',
    { tags: 'waiting-run-shows-its-questions' },
    async () => {
      const called: readonly Entry[] = [
        { type: 'tool.started', id: 'c1', name: 'delete', runBy: 'agent' },
        { type: 'tool.called', id: 'c1', args: '{}' },
      ];
      const ticket = { ...approval, toolCallId: 'c1', expiresAtMs: 4_000_000_000_000 };
      const gateway = new FakeGateway((submission, { log }) => {
        const afterSeq = log.head;
        if (submission.decisions.length === 0) {
          gateway.append(
            ...starts(submission),
            ...called,
            { type: 'ticket.opened', ticket },
            { type: 'run.waiting', ticketIds: [ticket.id] },
          );
        } else {
          gateway.append(
            { type: 'ticket.closed', ticketId: ticket.id, how: 'answered', by: { door: 'ag-ui' } },
            { type: 'run.resumed', cause: 'decision', activation: `ag-ui:${submission.key}` },
            {
              type: 'tool.result',
              id: 'c1',
              messageId: 'x1',
              status: 'ok',
              parts: [{ type: 'text', text: 'gone' }],
              origin: 'agent',
            },
            ended,
          );
        }
        return receiptFor(submission, { afterSeq });
      });
      gateway.questions.set(ticket.id, ticket);
      await using server = await serve(gateway);
      const url = server.url('/demo');
      const asked = await runStockClient(era, { url, threadId, runId: 'r1', messages: [hi] });
      expect(asked.interrupts).toMatchObject([{ id: ticket.id, reason: 'tool_call', toolCallId: 'c1' }]);
      const resume = [
        { interruptId: ticket.id, status: 'resolved', payload: { approved: true, editedArgs: { a: 1 } } },
      ];
      const { messages, state } = asked;
      const done = await runStockClient(era, { url, threadId, runId: 'r2', messages, state, more: { resume } });
      expect(gateway.submissions[1]?.decisions).toEqual([
        { ticketId: ticket.id, answer: { type: 'approve', args: { a: 1 } } },
      ]);
      expect(done.events.map(({ type }) => type)).toEqual(['RUN_STARTED', 'TOOL_CALL_RESULT', 'RUN_FINISHED']);
      expect(done.messages.at(-1)).toMatchObject({ id: 'x1', role: 'tool', toolCallId: 'c1', content: 'gone' });
      expect(done.interrupts).toEqual([]);
    },
  );

  it('learns why its request was refused', { tags: 'faults-have-stable-codes' }, async () => {
    const gateway = new FakeGateway(() => {
      throw new Fault('request-conflict', 'the request id r1 was used before with another body');
    });
    await using server = await serve(gateway);
    const told = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const run = runStockClient(era, { url: server.url('/demo'), threadId, runId: 'r1', messages: [hi] });
    await expect(run).rejects.toMatchObject({ status: 409, payload: { code: 'REQUEST_CONFLICT' } });
    told.mockRestore();
  });
});

describe('a stream', () => {
  it('says that the run started before the run does anything', { tags: 'stream-begins-at-once' }, async () => {
    const gateway = new FakeGateway(accepts);
    await using server = await serve(gateway);
    const response = await post(server);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    const prelude = await readUntil(response, (text) => text.endsWith('\n\n'));
    expect(parseSse(prelude)).toMatchObject([
      { event: { type: 'RUN_STARTED', threadId, runId: 'r1', protocolVersion: '1.0' } },
    ]);
    expect(prelude).not.toContain('\r');
  });

  it('shows nothing of the run that it queues behind', async () => {
    const gateway = new FakeGateway((submission) =>
      receiptFor(submission, { became: 'queued', state: { is: 'queued', runId } }),
    );
    await using server = await serve(gateway);
    const response = await post(server);
    await gateway.awaitFollowers(1);
    const other = { runId: 'run-0' };
    gateway.append(...says('not', 'yours').map((entry) => ({ ...entry, ...other })), { ...ended, ...other });
    gateway.append(...starts({ key: 'r1' }), ended);
    expect(types(await response.text())).toEqual(['RUN_STARTED', 'RUN_FINISHED']);
  });

  it(
    'asks what the thread waits for, and keeps the request that waits behind it',
    { tags: 'waiting-run-shows-its-questions' },
    async () => {
      const gateway = new FakeGateway((submission, { log }) =>
        receiptFor(submission, {
          became: 'blocked',
          runId: 'run-2',
          blockedBy: [approval.id],
          state: { is: 'queued', runId: 'run-2' },
          afterSeq: log.head,
        }),
      );
      gateway.questions.set(approval.id, approval);
      gateway.append(
        ...starts({ key: 'r0' }),
        { type: 'ticket.opened', ticket: approval },
        { type: 'run.waiting', ticketIds: [approval.id] },
      );
      await using server = await serve(gateway);
      const messages = [hi, { id: 'm2', role: 'user', content: 'and now?' }];
      const received = await runStockClient('1.x', { url: server.url('/demo'), threadId, runId: 'r1', messages });
      expect(received.interrupts).toMatchObject([{ id: approval.id }]);
      expect(received.messages).toEqual(messages);
    },
  );

  it('asks when the run that it queues behind begins to wait', async () => {
    const state = { is: 'queued', runId: 'run-2' } as const;
    const gateway = new FakeGateway((submission) =>
      receiptFor(submission, { became: 'queued', runId: 'run-2', state }),
    );
    await using server = await serve(gateway);
    const response = await post(server);
    await gateway.awaitFollowers(1);
    gateway.append(
      ...starts({ key: 'r0' }),
      { type: 'ticket.opened', ticket: approval },
      { type: 'run.waiting', ticketIds: [approval.id] },
    );
    expect(terminalOf(await response.text())).toMatchObject({
      outcome: { type: 'interrupt', interrupts: [{ id: approval.id }] },
    });
  });

  it('is the same again for the same request, also after its end', { tags: 'replay-is-the-same-again' }, async () => {
    const gateway = new FakeGateway((submission, { log }) =>
      log.head === 0
        ? answers(submission, gateway)
        : receiptFor(submission, {
            was: 'repeated',
            became: 'answered',
            state: {
              is: 'answered',
              runId,
              fromSeq: 1,
              toSeq: log.head,
              outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls: [] },
            },
          }),
    );
    await using server = await serve(gateway);
    const first = await (await post(server)).text();
    expect(types(first)).toContain('TEXT_MESSAGE_CONTENT');
    expect(await (await post(server)).text()).toBe(first);
    const ids = parseSse(first).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain(undefined);
  });

  it('ends at once for a request that was taken back', async () => {
    const gateway = new FakeGateway((submission) =>
      receiptFor(submission, { was: 'repeated', became: 'answered', state: { is: 'retracted', by: 'ada', atMs: 1 } }),
    );
    await using server = await serve(gateway);
    const sse = await (await post(server)).text();
    expect(types(sse)).toEqual(['RUN_STARTED', 'RUN_FINISHED']);
    expect(terminalOf(sse)).toMatchObject({ outcome: { type: 'cancelled' } });
  });

  it('does not pass for finished when the gateway stops', async () => {
    const gateway = new FakeGateway(accepts);
    await using server = await serve(gateway);
    const response = await post(server);
    await gateway.awaitFollowers(1);
    gateway.append(...starts({ key: 'r1' }));
    gateway.stop();
    const sse = await response.text();
    expect(parseSse(sse).at(-1)).toMatchObject({ id: undefined, event: { type: 'RUN_ERROR', code: 'SHUTDOWN' } });
  });

  it('ends with the fault that broke it, and does not show what is unexpected', async () => {
    const gateway = new FakeGateway(accepts);
    gateway.view = () => Promise.reject(new TypeError('a secret'));
    await using server = await serve(gateway);
    const response = await post(server);
    await gateway.awaitFollowers(1);
    gateway.append(...starts({ key: 'r1' }), ended);
    const sse = await response.text();
    expect(parseSse(sse).at(-1)).toMatchObject({ id: undefined, event: { type: 'RUN_ERROR', code: 'INTERNAL' } });
    expect(sse).not.toContain('secret');
    expect(server.logged).toMatchObject([{ level: 'error', fields: { cause: { message: 'a secret' } } }]);
  });

  it('stops following when its client leaves', async () => {
    const gateway = new FakeGateway(accepts);
    await using server = await serve(gateway);
    const leaving = new AbortController();
    await post(server, {}, { signal: leaving.signal });
    await gateway.awaitFollowers(1);
    leaving.abort();
    await gateway.awaitFollowers(0);
    gateway.append(...starts({ key: 'r1' }), ended);
    await server.clock.advance(60_000);
    expect(server.logged).toEqual([]);
  });

  it('comes through a silence with comments', { tags: 'silence-is-commented' }, async () => {
    const gateway = new FakeGateway(accepts);
    await using server = await serve(gateway);
    const response = await post(server);
    await gateway.awaitFollowers(1);
    await server.clock.advance(30_000);
    gateway.append(...starts({ key: 'r1' }), ended);
    const sse = await response.text();
    expect(sse.match(/^: keep-alive\n\n/gm)).toHaveLength(2);
    expect(types(sse)).toEqual(['RUN_STARTED', 'RUN_FINISHED']);
  });

  it('carries media while there is room for it', async () => {
    const gateway = new FakeGateway(accepts);
    gateway.blobs.set('small', 'AAAA');
    gateway.blobs.set('large', 'A'.repeat(100));
    await using server = await serve(gateway, { limits: { maxInlineChars: 50 } });
    const response = await post(server);
    const media = (blob: string): Entry => ({
      type: 'message.added',
      message: userMessage(blob, '', {
        actor: 'bob',
        parts: [{ type: 'media', kind: 'image', source: { at: 'blob', blob }, mimeType: 'image/png' }],
      }),
      activation: 'a2a:other',
    });
    gateway.append(...starts({ key: 'r1' }), { type: 'step.started', name: 's' }, { type: 'step.finished', name: 's' });
    gateway.append(media('small'), media('large'), media('gone'), ended);
    const snapshots = parseSse(await response.text()).filter(({ event }) => event.type === 'MESSAGES_SNAPSHOT');
    expect(snapshots.at(-1)?.event['messages']).toMatchObject([
      hi,
      { content: [{ source: { type: 'data', value: 'AAAA' } }] },
      { content: [{ source: { type: 'file', value: 'large', provider: 'anyport' } }] },
      { content: [{ source: { type: 'file', value: 'gone', provider: 'anyport' } }] },
    ]);
  });

  it('ends where an event is too large for its client', async () => {
    const gateway = new FakeGateway(accepts);
    await using server = await serve(gateway, { limits: { maxFrameChars: 500 } });
    const response = await post(server);
    gateway.append(...starts({ key: 'r1' }), {
      type: 'state.snapshot',
      state: { big: 'x'.repeat(500) },
      origin: 'agent',
    });
    expect(terminalOf(await response.text())).toMatchObject({ type: 'RUN_ERROR', code: 'TOO_LARGE' });
  });

  it('waits for a client that does not read, and loses nothing', { tags: 'slow-client-stalls-nobody' }, async () => {
    const gateway = new FakeGateway(accepts);
    await using server = await serve(gateway);
    const response = await post(server);
    await gateway.awaitFollowers(1);
    const words = Array.from({ length: 200 }, (_, index) => `${index}${'x'.repeat(100_000)}`);
    gateway.append(...starts({ key: 'r1' }), ...says(...words), ended);
    const deltas = parseSse(await response.text()).map(({ event }) => event['delta']);
    expect(deltas.filter((delta) => delta !== undefined)).toEqual(words);
  });
});

describe('a request', () => {
  it('hands on what was set aside to the log, and the trace to the gateway', async () => {
    const gateway = new FakeGateway((submission, { log }) => {
      const afterSeq = log.head;
      gateway.append(...starts(submission), ended);
      return receiptFor(submission, { afterSeq, warnings: ['too late'] });
    });
    await using server = await serve(gateway);
    const resume = [{ interruptId: 'nobody', status: 'cancelled' }];
    await (await post(server, { extra: 1, resume }, { headers: { traceparent: '00-a-b-01' } })).text();
    expect(gateway.submissions).toMatchObject([{ decisions: [], trace: { traceparent: '00-a-b-01' } }]);
    expect(server.logged).toMatchObject([{ level: 'warn', fields: { warnings: { length: 3 } } }]);
  });

  it.each<[string, string, Init, number, object]>([
    ['no JSON', '/demo', { body: '{' }, 400, { code: 'INVALID_REQUEST', path: '$' }],
    ['no UTF-8', '/demo', { body: new Uint8Array([0x22, 0xff, 0x22]) }, 400, { code: 'INVALID_REQUEST', path: '$' }],
    ['a malformed member', '/demo', { body: '{"threadId":1,"runId":"r","messages":[]}' }, 400, { path: '$.threadId' }],
    [
      'an unknown major version',
      '/demo',
      { body: JSON.stringify({ ...body, protocolVersion: '2.0' }) },
      422,
      { code: 'UNSUPPORTED', path: '$.protocolVersion' },
    ],
    ['another content type', '/demo', { headers: { 'content-type': 'text/plain' } }, 415, { code: 'INVALID_REQUEST' }],
    ['a body that is too large', '/demo', { body: 'x'.repeat(2000) }, 413, { code: 'TOO_LARGE' }],
    ['an unknown agent', '/nobody', {}, 404, { code: 'AGENT_NOT_FOUND' }],
    ['an unknown resource', '/demo/elsewhere', {}, 404, { code: 'NOT_FOUND' }],
    ['no agent', '/', {}, 404, { code: 'NOT_FOUND' }],
    ['a malformed path', '/%ff', {}, 400, { code: 'INVALID_REQUEST' }],
    ['the wrong method', '/demo', { method: 'PUT' }, 405, { code: 'UNSUPPORTED' }],
    ['the wrong method for capabilities', '/demo/capabilities', {}, 405, { code: 'UNSUPPORTED' }],
  ])(
    'with %s is refused',
    { tags: ['faults-have-stable-codes', 'refused-request-writes-nothing'] },
    async (_, path, init, status, problem) => {
      const gateway = new FakeGateway(answers);
      await using server = await serve(gateway, { limits: { maxBodyBytes: 1000 } });
      const headers = { 'content-type': 'application/json', ...init.headers };
      const response = await fetch(server.url(path), { method: 'POST', body: JSON.stringify(body), ...init, headers });
      expect(response.status).toBe(status);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.json()).toMatchObject({ status, ...problem });
      expect(gateway.submissions).toEqual([]);
    },
  );

  it('names the methods that are served', async () => {
    await using server = await serve(new FakeGateway(answers));
    const response = await fetch(server.url('/demo'));
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
  });

  it('is told when to come back', async () => {
    const gateway = new FakeGateway(() => {
      throw new Fault('shutting-down', 'the gateway is stopping');
    });
    await using server = await serve(gateway);
    const response = await post(server);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
  });

  it('whose body grows too large without saying so is refused, and the connection answers', async () => {
    await using server = await serve(new FakeGateway(answers), { limits: { maxBodyBytes: 1000 } });
    const status = await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
      const sent = httpRequest(server.url('/demo'), { method: 'POST', headers }, (response) => {
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.write('x'.repeat(2000));
      sent.end();
    });
    expect(status).toBe(413);
  });

  it('whose client leaves while it sends it is dropped', async () => {
    const gateway = new FakeGateway(answers);
    await using server = await serve(gateway);
    const headers = { 'content-type': 'application/json', 'content-length': '1000' };
    const sent = httpRequest(server.url('/demo'), { method: 'POST', headers });
    sent.on('error', () => undefined);
    sent.write('{');
    await once(sent, 'socket');
    await new Promise((resolve) => sent.write('"', resolve));
    sent.destroy();
    await server.handled(1);
    expect(server.logged).toEqual([]);
    expect(gateway.submissions).toEqual([]);
  });

  it('does not show what went wrong unexpectedly', async () => {
    const gateway = new FakeGateway(() => {
      throw new TypeError('a secret');
    });
    await using server = await serve(gateway);
    const response = await post(server);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    expect(server.logged).toMatchObject([{ level: 'error', fields: { cause: { message: 'a secret' } } }]);
  });
});

describe('the capabilities of an agent', () => {
  it('come from its card', async () => {
    await using server = await serve(new FakeGateway(answers));
    const response = await fetch(server.url('/demo/capabilities'));
    expect(await response.json()).toMatchObject({
      identity: { name: 'Demo', version: '1.2.3' },
      tools: { supported: true, clientProvided: true },
      multiAgent: { supported: false },
      multimodal: { input: { image: true, audio: false } },
      humanInTheLoop: { interrupts: true },
    });
  });
});
