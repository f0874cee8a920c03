import { afterEach, describe, expect, it, vi } from 'vitest';
import { resumableFetch, type ResumableFetchOptions } from '../../adapters/ag-ui/client/index.ts';
import { refused, type ScriptedAnswer, ScriptedFetch, streamed } from '../support/scripted-fetch.ts';

const url = 'https://gateway.test/ag-ui/demo';
const post = {
  method: 'POST',
  headers: { Authorization: 'Bearer token', 'Content-Type': 'application/json', Accept: 'text/event-stream' },
  body: '{"runId":"r1"}',
  credentials: 'include',
} as const;

const frames = [
  frame('s.1.0', { type: 'RUN_STARTED', threadId: 't', runId: 'r1' }),
  frame('s.2.0', { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'naïve 日本 🦊' }),
  frame('s.2.1', { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'é' }),
  frame('s.9.0', { type: 'RUN_FINISHED', threadId: 't', runId: 'r1' }),
] as const;
const whole = frames.join('');
const bytes = new TextEncoder().encode(whole);
const [first, second, third] = frames;
const isOver = frame(undefined, {
  type: 'RUN_ERROR',
  message: 'the gateway is stopping',
  code: 'SHUTDOWN',
  metadata: { anyport: { retryable: true } },
});

function frame(id: string | undefined, event: object): string {
  return `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(event)}\n\n`;
}

/** What comes after the frame that the request says it has. */
function rest(end: 'clean' | 'cut' = 'clean'): ScriptedAnswer {
  return (request) => {
    const after = request.headers.get('last-event-id');
    const at = frames.findIndex((one) => one.startsWith(`id: ${after}\n`));
    return streamed(frames.slice(at + 1), end)(request);
  };
}

function problem(status: number, body: string | object = ''): ScriptedAnswer {
  return () => new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
}

async function run(
  script: readonly ScriptedAnswer[],
  options: ResumableFetchOptions = {},
): Promise<{ text: string; asked: ScriptedFetch['asked'] }> {
  const gateway = new ScriptedFetch(script);
  const fetch = resumableFetch({ firstWaitMs: 0, fetch: gateway.fetch, ...options });
  const response = await fetch(url, post);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  return { text: await response.text(), asked: gateway.asked };
}

function lastEvent(text: string): unknown {
  return JSON.parse(text.split('data: ').at(-1) ?? '');
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a stream that breaks', () => {
  it.each(['cut', 'clean'] as const)('at any byte, by a %s end, is one unbroken body', async (end) => {
    for (let at = 0; at <= bytes.length; at++) {
      const { text, asked } = await run([streamed([bytes.slice(0, at)], end), rest(end)]);
      expect(text).toBe(whole);
      const told = frames.filter(
        (_, index) => new TextEncoder().encode(frames.slice(0, index + 1).join('')).length <= at,
      );
      expect(asked).toHaveLength(told.length === frames.length ? 1 : 2);
    }
  });

  it('comes in single bytes just as well', async () => {
    const single = [...bytes].map((byte) => Uint8Array.of(byte));
    const start = first.length;
    for (const at of [start + 1, start + 70, start + 80, start + 90]) {
      const { text } = await run([streamed(single.slice(0, at), 'cut'), streamed(single.slice(start))]);
      expect(text).toBe(whole);
    }
  });

  it('goes on with its request’s credentials, after the last whole frame', async () => {
    const { asked } = await run([streamed([first, second, third.slice(0, -1)], 'cut'), rest()]);
    const [, again] = asked;
    expect(again).toMatchObject({ url: 'https://gateway.test/ag-ui/threads/t/stream', method: 'GET' });
    expect(again?.init).toMatchObject({ credentials: 'include' });
    expect(again?.init).not.toHaveProperty('body');
    expect(Object.fromEntries(again?.headers ?? [])).toEqual({
      authorization: 'Bearer token',
      accept: 'text/event-stream',
      'last-event-id': 's.2.0',
    });
  });

  it('before anything was told is asked for anew by the same request', async () => {
    const { text, asked } = await run([streamed([first.slice(0, -1)], 'cut'), streamed([whole])]);
    expect(text).toBe(whole);
    expect(asked.map(({ method, init }) => [method, init.body])).toEqual([
      ['POST', post.body],
      ['POST', post.body],
    ]);
  });

  it('again and again is gone on with each time', async () => {
    const { text, asked } = await run([
      streamed([first, ': keep-alive\n\n', second.slice(0, 9)], 'cut'),
      streamed([], 'clean'),
      streamed([second], 'cut'),
      streamed([third], 'clean'),
      rest(),
    ]);
    expect(text).toBe(whole);
    expect(asked.slice(1).map(({ headers }) => headers.get('last-event-id'))).toEqual([
      's.1.0',
      's.1.0',
      's.2.0',
      's.2.1',
    ]);
  });

  it('waits for a gateway that restarts', async () => {
    const { text } = await run([
      streamed([first], 'cut'),
      refused,
      problem(502),
      problem(503),
      () => new Response('<html>back soon</html>'),
      refused,
      rest(),
    ]);
    expect(text).toBe(whole);
  });

  it('by the words of a gateway that stops goes on without them', async () => {
    const { text } = await run([streamed([first, second, isOver]), refused, rest()]);
    expect(text).toBe(whole);
  });

  it('within frames that are their connection’s alone goes on without them', async () => {
    const closing = frame(undefined, { type: 'TEXT_MESSAGE_END', messageId: 'm' });
    const anew = frame('j.2.0', { type: 'RUN_FINISHED' });
    expect((await run([streamed([first, closing], 'cut'), rest()])).text).toBe(whole);
    expect((await run([streamed([first, closing, anew])])).text).toBe([first, closing, anew].join(''));
  });

  it('by silence is gone on with', async () => {
    const { text } = await run([streamed([first, ': keep-alive\n\n'], 'open'), rest()], { silenceMs: 20 });
    expect(text).toBe(whole);
    const unanswered = await run([streamed([first], 'cut'), () => new Promise(() => undefined), rest()], {
      silenceMs: 20,
    });
    expect(unanswered.text).toBe(whole);
  });
});

describe('a stream that ends', () => {
  it.each(['clean', 'cut'] as const)('with its terminal event, is asked for no further: a %s end', async (end) => {
    const { text, asked } = await run([streamed([whole], end)]);
    expect(text).toBe(whole);
    expect(asked).toHaveLength(1);
  });

  it('because all was told, ends', async () => {
    const { text, asked } = await run([streamed([first]), () => new Response(null, { status: 204 })]);
    expect(text).toBe(first);
    expect(asked).toHaveLength(2);
  });

  it.each([
    [410, { code: 'CURSOR_EXPIRED', detail: 'join anew' }, { code: 'CURSOR_EXPIRED', message: 'join anew' }],
    [404, { code: 'NOT_FOUND', detail: 'no such thread' }, { code: 'NOT_FOUND', message: 'no such thread' }],
    [403, 'go away', { code: 'DISCONNECTED', message: 'HTTP 403: go away' }],
  ])('because it is refused with %i, says why', async (status, body, said) => {
    const { text, asked } = await run([streamed([first, second], 'cut'), problem(status, body)]);
    expect(text.startsWith(first + second)).toBe(true);
    expect(lastEvent(text)).toEqual({ type: 'RUN_ERROR', ...said });
    expect(asked).toHaveLength(2);
  });

  it('by words of its connection that would come again, says them', async () => {
    const final = isOver.replace('"retryable":true', '"retryable":false');
    const { text, asked } = await run([streamed([first, final])]);
    expect(text).toBe(first + final);
    expect(asked).toHaveLength(1);
  });

  it('because nobody answers for long, says so once', async () => {
    vi.useFakeTimers();
    for (const [said, code] of [
      [[first], 'DISCONNECTED'],
      [[first, isOver], 'SHUTDOWN'],
    ] as const) {
      const startedAtMs = Date.now();
      const ran = run([streamed(said, 'cut')], { firstWaitMs: 100, longestWaitMs: 1000, giveUpAfterMs: 60_000 });
      await vi.advanceTimersByTimeAsync(61_000);
      const { text, asked } = await ran;
      expect(lastEvent(text)).toMatchObject({ type: 'RUN_ERROR', code });
      expect(text.match(/RUN_ERROR/g)).toHaveLength(1);
      expect(asked.length).toBeGreaterThan(50);
      expect(asked.length).toBeLessThan(400);
      expect(Date.now() - startedAtMs).toBe(61_000);
    }
  });
});

describe('its reader', () => {
  it('aborts while it reads', async () => {
    const leaving = new AbortController();
    const gateway = new ScriptedFetch([streamed([first], 'open')]);
    const fetch = resumableFetch({ fetch: gateway.fetch });
    const reader = (await fetch(url, { ...post, signal: leaving.signal })).body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(first);
    leaving.abort();
    await expect(reader.read()).rejects.toMatchObject({ name: 'AbortError' });
    expect(gateway.asked).toHaveLength(1);
  });

  it('aborts while the next connection is waited for', async () => {
    vi.useFakeTimers();
    const leaving = new AbortController();
    const gateway = new ScriptedFetch([streamed([first], 'cut')]);
    const fetch = resumableFetch({ fetch: gateway.fetch, firstWaitMs: 5000 });
    const reader = (await fetch(url, { ...post, signal: leaving.signal })).body!.getReader();
    await reader.read();
    const next = reader.read();
    leaving.abort();
    await expect(next).rejects.toMatchObject({ name: 'AbortError' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gateway.asked).toHaveLength(1);
  });

  it('leaves, and nothing is asked any more', async () => {
    vi.useFakeTimers();
    const gateway = new ScriptedFetch([streamed([first], 'cut')]);
    const response = await resumableFetch({ fetch: gateway.fetch })(url, post);
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gateway.asked).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an answer of somebody else', () => {
  it('is as it was, and its breaking is too', async () => {
    const theirs = await streamed([first], 'cut', {})({ init: {} } as never);
    const given = await resumableFetch({ fetch: async () => theirs })(url, post);
    expect(given).toBe(theirs);
    await expect(given.text()).rejects.toThrow('terminated');
  });

  it('that names another host is not followed there', async () => {
    const theirs = await streamed([first], 'cut', { 'anyport-stream': 'https://evil.test/stream' })({
      init: {},
    } as never);
    expect(await resumableFetch({ fetch: async () => theirs })(url, post)).toBe(theirs);
  });

  it('that refuses is as it was', async () => {
    const refusal = new Response('no', { status: 409, headers: { 'anyport-stream': '/s' } });
    expect(await resumableFetch({ fetch: async () => refusal })(url, post)).toBe(refusal);
  });
});
