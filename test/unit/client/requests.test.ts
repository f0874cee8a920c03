import { describe, expect, it } from 'vitest';
import { AnyportClient, type AnyportClientOptions, Fault, Problem, Unreachable } from '../../../src/client/index.ts';
import { HurriedClock } from '../../support/hurried-clock.ts';
import { cut, problem, reply, type Scripted, ScriptedServer } from '../../support/scripted-server.ts';

const receipt = { threadId: 't', activationId: 'control:k', runId: 'run_1', became: 'running', blockedBy: [] };

async function meet(script: Scripted[], options: Partial<AnyportClientOptions> = {}) {
  const server = await ScriptedServer.start(script);
  const clock = new HurriedClock();
  const client = new AnyportClient({ url: server.url, clock, silenceMs: Infinity, ...options });
  return { server, clock, client, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`it resolved with ${JSON.stringify(value)}`);
    },
    (thrown: unknown) => thrown,
  );
}

describe('a submission', () => {
  it('is repeated under one name until it is answered', async () => {
    const busy = problem(503, { code: 'shutting-down', detail: 'stopping' }, { 'retry-after': '7' });
    await using met = await meet([cut, busy, problem(429, { code: 'too-many' }), reply(202, receipt)]);
    const { client, server, clock } = met;
    expect(await client.submit({ text: 'hi' })).toEqual(receipt);
    expect(server.asked.map(({ method, url, body }) => [method, url, body])).toEqual(
      Array.from({ length: 4 }, () => ['POST', '/v1/runs', '{"text":"hi"}']),
    );
    const keys = new Set(server.asked.map(({ headers }) => headers['idempotency-key']));
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(clock.waits).toHaveLength(3);
    expect(clock.waits[1]).toBe(7_000);
  });

  it('has the name that it is given', async () => {
    await using met = await meet([reply(202, receipt), reply(202, receipt)]);
    await met.client.submit({ text: 'hi' }, { idempotencyKey: 'mine' });
    await met.client.sendInput('run_1', { text: 'hi' }, { idempotencyKey: 'mine too' });
    expect(met.server.asked.map(({ url, headers }) => [url, headers['idempotency-key']])).toEqual([
      ['/v1/runs', 'mine'],
      ['/v1/runs/run_1/input', 'mine too'],
    ]);
    const fault = { code: 'invalid-request', path: 'idempotencyKey' };
    await expect(met.client.submit({ text: 'hi' }, { idempotencyKey: 'grüße' })).rejects.toMatchObject(fault);
  });

  it('stops waiting when it is aborted', async () => {
    const abort = new AbortController();
    const clock = new HurriedClock(() => {
      abort.abort();
    });
    await using met = await meet([problem(503, { code: 'store-failed' })], { clock });
    const thrown = await thrownBy(met.client.submit({ text: 'hi' }, { signal: abort.signal }));
    expect(thrown).toBe(abort.signal.reason);
    expect(met.server.asked).toHaveLength(1);
  });
});

describe('a request', () => {
  it('gives up after its attempts, with the last fault', async () => {
    const busy = problem(429, { code: 'too-many', detail: 'the queue is full' });
    await using met = await meet([busy, busy, busy], { retry: { attempts: 3 } });
    const thrown = await thrownBy(met.client.run('run_1'));
    expect(thrown).toBeInstanceOf(Problem);
    expect(thrown).toMatchObject({ code: 'too-many', message: 'the queue is full', retryable: true, status: 429 });
    expect(met.server.asked).toHaveLength(3);
  });

  it('does not wait for longer than a minute', async () => {
    await using met = await meet([problem(503, { code: 'store-failed' }, { 'retry-after': '61' })]);
    await expect(met.client.run('run_1')).rejects.toMatchObject({ code: 'store-failed', retryAfterMs: 61_000 });
  });

  it.each<[Scripted, object]>([
    [
      problem(409, { code: 'run-conflict', detail: 'busy', retryable: false, path: 'threadId' }),
      { code: 'run-conflict', message: 'busy', retryable: false, path: 'threadId' },
    ],
    [
      problem(418, { code: 'from-the-future', detail: 'new', retryable: false }),
      { code: 'internal', message: 'new', retryable: false },
    ],
    [
      (response) => void response.writeHead(502).end('<html>'),
      { code: 'internal', message: 'the gateway answered with status 502', retryable: true },
    ],
    [
      (response) => void response.writeHead(200).end('<html>'),
      { code: 'internal', message: expect.stringContaining('does not answer as a gateway does') as string },
    ],
  ])('that is refused throws what the gateway said (%#)', async (answer, fault) => {
    await using met = await meet([answer]);
    const thrown = await thrownBy(met.client.runs());
    expect(thrown).toBeInstanceOf(Fault);
    expect(thrown).toMatchObject(fault);
    expect(met.server.asked).toHaveLength(1);
  });

  it('says in one line that nothing is there', async () => {
    const met = await meet([]);
    await met[Symbol.asyncDispose]();
    const thrown = await thrownBy(met.client.agents());
    expect(thrown).toBeInstanceOf(Unreachable);
    expect(thrown).toMatchObject({
      code: 'upstream-failed',
      message: `cannot reach ${met.server.url} (ECONNREFUSED)`,
      retryable: true,
    });
    expect(met.clock.waits).toHaveLength(4);
  });

  it('that would do more when it arrives twice is sent once, unless it was refused', async () => {
    const done = reply(200, { runs: {}, retracted: [] });
    await using met = await meet([problem(503, { code: 'shutting-down' }), done, cut]);
    expect(await met.client.interrupt('t')).toEqual({ runs: {}, retracted: [] });
    expect(await thrownBy(met.client.interrupt('t'))).toBeInstanceOf(Unreachable);
    expect(met.server.asked).toHaveLength(3);
  });

  it('ends with its client, whatever it waits for', async () => {
    const abort = new AbortController();
    await using met = await meet([() => abort.abort()], { signal: abort.signal });
    expect(await thrownBy(met.client.interrupt('t'))).toBe(abort.signal.reason);
    expect(await thrownBy(met.client.run('run_1'))).toBe(abort.signal.reason);
    expect(met.server.asked).toHaveLength(1);
  });

  it('says who calls, and reaches a gateway below a path', async () => {
    const calls: [string, RequestInit][] = [];
    const fetch = (url: string, init: RequestInit): Promise<Response> => {
      calls.push([url, init]);
      return Promise.resolve(Response.json({ items: [] }));
    };
    const client = new AnyportClient({ url: 'https://example.com/any', token: 'secret', fetch });
    await client.tickets({ state: 'all', threadId: 'a b', limit: 3 });
    expect(calls[0]?.[0]).toBe('https://example.com/any/v1/tickets?state=all&threadId=a+b&limit=3');
    expect(calls[0]?.[1].headers).toMatchObject({ authorization: 'Bearer secret' });
  });

  it('names things in full, whatever they are called', async () => {
    await using met = await meet([reply(200, {}), reply(200, {})]);
    await met.client.retractInput('a/b?c', 'control:ü#1');
    expect(met.server.asked[0]).toMatchObject({
      method: 'DELETE',
      url: '/v1/threads/a%2Fb%3Fc/input/control%3A%C3%BC%231',
    });
    for (const name of ['', '.', '..', 'a\ud800']) {
      await expect(met.client.deleteThread(name)).rejects.toMatchObject({ code: 'invalid-request' });
    }
    expect(met.server.asked).toHaveLength(1);
  });

  it.each([{ url: 'localhost:8080' }, { url: 'ftp://example.com' }, { url: 'http://example.com', token: 'a\nb' }])(
    'needs a place and a token that can be: %o',
    (options) => {
      expect(() => new AnyportClient(options)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    },
  );

  it('may have nothing to say', async () => {
    await using met = await meet([reply(204), reply(204)]);
    expect(await met.client.discard('run_1')).toBeUndefined();
    expect(await met.client.deleteThread('t', { children: 'keep', force: true })).toBeUndefined();
    expect(met.server.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'DELETE /v1/dead-letters/run_1',
      'DELETE /v1/threads/t?children=keep&force=true',
    ]);
  });
});

describe('a decision', () => {
  it('is one decision however often it is sent', async () => {
    await using met = await meet([cut, reply(200, {})]);
    await met.client.decide('tkt_1', { type: 'approve' });
    const [first, second] = met.server.asked.map(({ body }) => JSON.parse(body) as { decisionId: string });
    expect(first).toEqual({ answer: { type: 'approve' }, decisionId: second?.decisionId });
  });
});

describe('a wait for a run', () => {
  const report = (status: string): Scripted => reply(200, { run: { status }, tickets: [], messages: [] });

  it('is as long as it takes', async () => {
    await using met = await meet([report('running'), cut, report('waiting'), report('done')]);
    expect(await met.client.waitForRun('run_1', { until: 'done' })).toMatchObject({ run: { status: 'done' } });
    expect(met.server.asked[0]?.url).toBe('/v1/runs/run_1/wait?timeoutMs=30000&until=done');
  });

  it('ends at a question, unless it is for the end', async () => {
    await using met = await meet([report('waiting')]);
    expect(await met.client.waitForRun('run_1')).toMatchObject({ run: { status: 'waiting' } });
  });

  it('ends with the run as it is when its time is over', async () => {
    await using met = await meet([report('running'), report('running'), report('running')]);
    expect(await met.client.waitForRun('run_1', { timeoutMs: 400 })).toMatchObject({ run: { status: 'running' } });
    expect(met.server.asked.map(({ url }) => /timeoutMs=(\d+)/.exec(url ?? '')?.[1])).toEqual(['400', '150', '0']);
  });
});
