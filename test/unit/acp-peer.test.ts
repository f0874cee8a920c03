import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, test } from 'vitest';
import { JsonRpcPeer, type PeerParts, type Reply, RpcError } from '../../adapters/acp/peer.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { HeldChannel, KeepingHandler, KeptLog, settled } from '../support/acp-channel.ts';
import { ManualClock } from '../support/manual-clock.ts';

function newPeer(parts: Partial<PeerParts> & { readonly handler?: KeepingHandler } = {}) {
  const channel = new HeldChannel();
  const handler = parts.handler ?? new KeepingHandler();
  const clock = new ManualClock();
  const log = new KeptLog();
  const peer = new JsonRpcPeer({ channel, clock, log, ...parts, handler });
  return { channel, handler, clock, log, peer };
}

const request = (id: unknown, method = 'echo', params?: unknown): object => ({ jsonrpc: '2.0', id, method, params });
const response = (id: unknown, result: unknown): object => ({ jsonrpc: '2.0', id, result });
const update = (params: object): object => ({ jsonrpc: '2.0', method: 'update', params });
const cancel = (requestId: unknown): object => ({ jsonrpc: '2.0', method: '$/cancel_request', params: { requestId } });
const failure = (id: unknown, code: number): object => ({
  jsonrpc: '2.0',
  id,
  error: expect.objectContaining({ code, message: expect.any(String) as string }) as object,
});

describe('order', () => {
  it('settles a request after the notifications that came before its response', async () => {
    const { channel, handler, peer } = newPeer();
    const heardAtAnswer = peer.request('prompt', {}).then(() => handler.heard.length);
    channel.hear(update({ n: 1 }), update({ n: 2 }), update({ n: 3 }), response(1, {}));
    expect(await heardAtAnswer).toBe(3);
    expect(handler.heard).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it('sends a response after what its handler sent, and what is to follow it right after it', async () => {
    const handler = new KeepingHandler({
      prompt: async () => {
        peer.notify('update', { n: 1 });
        await Promise.resolve();
        peer.notify('update', { n: 2 });
        return { result: 'done', after: () => peer.notify('update', { n: 3 }) };
      },
    });
    const { channel, peer } = newPeer({ handler });
    channel.hear(request(7, 'prompt'));
    await settled();
    expect(channel.sent).toEqual([update({ n: 1 }), update({ n: 2 }), response(7, 'done'), update({ n: 3 })]);
  });

  it('answers others and hears notifications while one request is slow', async () => {
    const slow = deferred<Reply>();
    const { channel, handler } = newPeer({ handler: new KeepingHandler({ slow: () => slow.promise }) });
    channel.hear(request(1, 'slow'), request(2, 'quick'), update({ n: 1 }));
    expect(handler.heard).toEqual([{ n: 1 }]);
    await settled();
    expect(channel.sent).toEqual([response(2, { method: 'quick' })]);
    slow.resolve({ result: 'late' });
    await settled();
    expect(channel.sent).toEqual([response(2, { method: 'quick' }), response(1, 'late')]);
  });

  it('sends requests and notifications in the order of the calls', () => {
    const { channel, peer } = newPeer();
    peer.notify('update', { n: 1 });
    peer.request('ask', { n: 2 }).catch(() => undefined);
    peer.notify('update', { n: 3 });
    expect(channel.sent).toEqual([update({ n: 1 }), request(1, 'ask', { n: 2 }), update({ n: 3 })]);
  });
});

describe('ids', () => {
  it.each([0, '', 'a', '0', -3, 1.5, 2 ** 53, null])('echoes %j as it came', async (id) => {
    const { channel } = newPeer();
    channel.hear(request(id));
    await settled();
    expect(channel.sent).toEqual([response(id, { method: 'echo' })]);
  });

  it('keeps the ids of both directions apart', async () => {
    const { channel, peer } = newPeer();
    const asked = peer.request('ask', {});
    channel.hear(request(1), response(1, 'answer'));
    expect(await asked).toBe('answer');
    await settled();
    expect(channel.sent).toEqual([request(1, 'ask', {}), response(1, { method: 'echo' })]);
  });

  it.each([2, '1', null, 1.5, -1])('drops an answer to %j, which was not asked', async (id) => {
    const { channel, log, peer } = newPeer();
    const asked = peer.request('ask', {});
    channel.hear(response(id, 'stray'), response(1, 'right'), response(1, 'again'));
    expect(await asked).toBe('right');
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ id }, { id: 1 }]);
    expect(channel.sent).toHaveLength(1);
  });

  it.each([4, 'four', null])('refuses a second request under the id %j while the first is open', async (id) => {
    const open = deferred<Reply>();
    const { channel } = newPeer({ handler: new KeepingHandler({ slow: () => open.promise }) });
    channel.hear(request(id, 'slow'), request(id));
    await settled();
    open.resolve({ result: 'first' });
    await settled();
    channel.hear(request(id));
    await settled();
    expect(channel.sent).toEqual([failure(id, -32600), response(id, 'first'), response(id, { method: 'echo' })]);
  });
});

describe('cancellation by the other side', () => {
  const waiting = new KeepingHandler({
    signal: async (_params, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    },
    sleep: async (_params, { signal }) => ({ result: await delay(3_600_000, 'slept', { signal }) }),
    result: async (_params, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { result: { stopReason: 'cancelled' } };
    },
  });

  it('aborts that request alone, which is answered once', async () => {
    const { channel } = newPeer({ handler: waiting });
    channel.hear(request(0, 'signal'), request('', 'result'), request(5, 'signal'));
    channel.hear(cancel(0), cancel(''), cancel(0), cancel('unknown'), cancel(null), cancel({}));
    await settled();
    expect(channel.sent).toEqual([response('', { stopReason: 'cancelled' }), failure(0, -32800)]);
  });

  it('is what an aborted wait of Node’s means', async () => {
    const { channel, log } = newPeer({ handler: waiting });
    channel.hear(request(1, 'sleep'), cancel(1));
    await settled();
    expect(channel.sent).toEqual([failure(1, -32800)]);
    expect(log.lines).toEqual([]);
  });

  it('without parameters is ignored', async () => {
    const { channel, handler } = newPeer();
    channel.hear({ jsonrpc: '2.0', method: '$/cancel_request' }, { ...cancel(1), params: null });
    await settled();
    expect([channel.sent, handler.heard]).toEqual([[], []]);
  });
});

describe('cancellation by this side', () => {
  it('tells the other side once, and settles with what it answers', async () => {
    const { channel, clock, peer } = newPeer();
    const aborter = new AbortController();
    const asked = peer.request('ask', {}, { signal: aborter.signal });
    aborter.abort();
    aborter.abort();
    expect(channel.sent).toEqual([request(1, 'ask', {}), cancel(1)]);
    await clock.advance(4_999);
    channel.hear(response(1, 'in time'));
    expect(await asked).toBe('in time');
    await clock.advance(60_000);
    expect(channel.sent).toHaveLength(2);
  });

  it('is over without an answer when the wait for one is', async () => {
    const { channel, clock, peer } = newPeer({ limits: { cancelWaitMs: 50 } });
    const aborter = new AbortController();
    const asked = peer.request('ask', {}, { signal: aborter.signal });
    const rejects = expect(asked).rejects.toMatchObject({ name: 'RpcError', code: -32800 });
    aborter.abort();
    await clock.advance(50);
    await rejects;
    channel.hear(response(1, 'late'));
  });

  it('before the request is sent keeps it from being sent', async () => {
    const { channel, peer } = newPeer();
    const asked = peer.request('ask', {}, { signal: AbortSignal.abort() });
    await expect(asked).rejects.toMatchObject({ code: -32800 });
    expect(channel.sent).toEqual([]);
  });

  it('after the answer says nothing', async () => {
    const { channel, peer } = newPeer();
    const aborter = new AbortController();
    const asked = peer.request('ask', {}, { signal: aborter.signal });
    channel.hear(response(1, null));
    expect(await asked).toBeNull();
    aborter.abort();
    expect(channel.sent).toHaveLength(1);
  });
});

describe('a timeout', () => {
  it('cancels the request and rejects; its late answer is dropped', async () => {
    const { channel, clock, log, peer } = newPeer();
    const asked = peer.request('ask', {}, { timeoutMs: 1000 });
    const rejects = expect(asked).rejects.toMatchObject({ name: 'Fault', code: 'timeout' });
    await clock.advance(999);
    expect(channel.sent).toHaveLength(1);
    await clock.advance(1);
    await rejects;
    expect(channel.sent).toEqual([request(1, 'ask', {}), cancel(1)]);
    channel.hear(response(1, 'late'));
    expect(log.lines).toHaveLength(1);
  });

  it('may be longer than a timer of the clock', async () => {
    const clock = new ManualClock();
    const hourly = {
      now: () => clock.now(),
      at: (atMs: number, wake: () => void) => clock.at(Math.min(atMs, clock.now() + 3_600_000), wake),
    };
    const { channel, peer } = newPeer({ clock: hourly });
    const asked = peer.request('ask', {}, { timeoutMs: 2.5 * 3_600_000 });
    const rejects = expect(asked).rejects.toMatchObject({ code: 'timeout' });
    await clock.advance(2.4 * 3_600_000);
    expect(channel.sent).toHaveLength(1);
    await clock.advance(0.1 * 3_600_000);
    await rejects;
  });

  it('after a cancellation does not cancel again', async () => {
    const { channel, clock, peer } = newPeer();
    const aborter = new AbortController();
    const asked = peer.request('ask', {}, { signal: aborter.signal, timeoutMs: 1000 });
    const rejects = expect(asked).rejects.toMatchObject({ code: 'timeout' });
    aborter.abort();
    await clock.advance(1000);
    await rejects;
    expect(channel.sent).toEqual([request(1, 'ask', {}), cancel(1)]);
  });
});

describe('what is no message', () => {
  it.each([
    [[], null],
    [[request(1)], null],
    [3, null],
    ['text', null],
    [null, null],
    [true, null],
    [{}, null],
    [{ id: 1, method: 'echo' }, 1],
    [{ jsonrpc: '1.0', id: 'x', method: 'echo' }, 'x'],
    [{ jsonrpc: 2, id: 0, method: 'echo' }, 0],
    [{ jsonrpc: '2.0', id: 1, method: 7 }, 1],
    [{ jsonrpc: '2.0', id: 1, method: null }, 1],
    [{ jsonrpc: '2.0', id: 1 }, null],
    [{ jsonrpc: '2.0', id: {}, method: 'echo' }, null],
    [{ jsonrpc: '2.0', id: true, method: 'echo' }, null],
    [{ jsonrpc: '2.0', id: Infinity, method: 'echo' }, null],
    [{ jsonrpc: '2.0', id: 1, method: 'echo', params: 'text' }, 1],
    [{ jsonrpc: '2.0', id: 1, method: 'echo', params: 0 }, 1],
    [{ jsonrpc: '2.0', method: 'update', params: false }, null],
  ])('is answered with -32600 once: %j', async (value, id) => {
    const { channel, handler } = newPeer();
    channel.hear(value);
    await settled();
    expect(channel.sent).toEqual([failure(id, -32600)]);
    expect(handler.heard).toEqual([]);
    channel.hear(request(2));
    await settled();
    expect(channel.sent).toHaveLength(2);
  });

  it.each([
    [new Fault('invalid-request', 'a line must be JSON'), -32700],
    [new Fault('too-large', 'a message must not be longer than 5 bytes'), -32600],
  ])(
    'is answered under no id when it could not be read: %s',
    { tags: 'session-of-an-editor-is-checked' },
    (why, code) => {
      const { channel } = newPeer();
      channel.receiver.malformed(why);
      expect(channel.sent).toEqual([{ jsonrpc: '2.0', id: null, error: { code, message: why.message } }]);
    },
  );

  it.each([
    { id: 1, result: {} },
    { jsonrpc: '2.0', result: {} },
    { jsonrpc: '2.0', id: {}, result: {} },
    { jsonrpc: '2.0', id: 1, error: 'text' },
    { jsonrpc: '2.0', id: 1, error: { code: 'x', message: 'm' } },
    { jsonrpc: '2.0', id: 1, error: { code: 1.5, message: 'm' } },
    { jsonrpc: '2.0', id: 1, error: { code: 1 } },
    { jsonrpc: '2.0', id: 1, error: null },
    { jsonrpc: '2.0', id: 1, result: 1, error: { code: 1, message: 'm' } },
    { jsonrpc: '2.0', id: 1, method: null, result: 1, error: { code: 1, message: 'm' } },
  ])('and was meant as an answer is not answered: %j', async (value) => {
    const { channel } = newPeer();
    channel.hear(value);
    await settled();
    expect(channel.sent).toEqual([]);
  });

  it.each([
    { id: 1, result: {} },
    { jsonrpc: '2.0', id: 1, error: 'text' },
    { jsonrpc: '2.0', id: 1, result: 1, error: { code: 1, message: 'm' } },
  ])('and was meant as the answer to a request fails that request: %j', async (value) => {
    const { channel, peer } = newPeer();
    const asked = peer.request('ask', {});
    const other = peer.request('ask', {});
    channel.hear(value, response(2, 'fine'));
    await expect(asked).rejects.toMatchObject({ code: 'upstream-failed' });
    expect(await other).toBe('fine');
  });

  it('because it is a batch is told so', () => {
    const { channel } = newPeer();
    channel.hear([request(1), request(2)]);
    expect(channel.sent).toEqual([
      { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'a message is one JSON object' } },
    ]);
  });
});

describe('answers', () => {
  it('may bear null for the member that is not there', async () => {
    const { channel, peer } = newPeer();
    const [first, second] = [peer.request('ask', {}), peer.request('ask', {})];
    channel.hear({ ...response(1, 'yes'), error: null });
    channel.hear({ jsonrpc: '2.0', id: 2, result: null, error: { code: -32000, message: 'log in', data: { a: 1 } } });
    expect(await first).toBe('yes');
    await expect(second).rejects.toEqual(new RpcError(-32000, 'log in', { a: 1 }));
    await expect(second).rejects.toMatchObject({ name: 'RpcError', code: -32000, data: { a: 1 } });
  });

  it.each([0, false, '', null, []])('carry %j as a result', async (result) => {
    const { channel, peer } = newPeer({ handler: new KeepingHandler({ give: () => ({ result }) }) });
    const asked = peer.request('ask', {});
    channel.hear(request(9, 'give'), response(1, result));
    expect(await asked).toEqual(result);
    await settled();
    expect(channel.sent[1]).toEqual(response(9, result));
  });

  it('say null where a handler says nothing', async () => {
    const { channel } = newPeer({ handler: new KeepingHandler({ give: () => ({ result: undefined }) }) });
    channel.hear(request(9, 'give'));
    await settled();
    expect(channel.sent).toEqual([response(9, null)]);
  });

  it('hold an error of the protocol as it was thrown, at once or later', async () => {
    const error = { code: -32002, message: 'no such session', data: { sessionId: 's' } };
    const thrown = new RpcError(error.code, error.message, error.data);
    const { channel, log } = newPeer({
      handler: new KeepingHandler({
        atOnce: () => {
          throw thrown;
        },
        later: () => Promise.reject(thrown),
      }),
    });
    channel.hear(request(1, 'atOnce'), request(2, 'later'));
    await settled();
    expect(channel.sent).toEqual([
      { jsonrpc: '2.0', id: 1, error },
      { jsonrpc: '2.0', id: 2, error },
    ]);
    expect(log.lines).toEqual([]);
  });

  it('withhold the message of anything unexpected, which is logged once', async () => {
    const cause = new Error('the password is hunter2');
    const { channel, log } = newPeer({ handler: new KeepingHandler({ fail: () => Promise.reject(cause) }) });
    channel.hear(request(1, 'fail'));
    await settled();
    expect(channel.sent).toEqual([failure(1, -32603)]);
    expect(JSON.stringify(channel.sent)).not.toContain('hunter2');
    expect(log.lines).toEqual([{ level: 'error', fields: { error: cause }, message: 'a request failed' }]);
  });

  it('tell faults in the words of the adapter', async () => {
    const fault = new Fault('not-found', 'no such thread');
    const { channel, log } = newPeer({
      handler: new KeepingHandler({ fail: () => Promise.reject(fault) }),
      encodeError: (thrown) => ({ code: -32002, message: (thrown as Fault).message, data: { a: 1 } }),
    });
    channel.hear(request(1, 'fail'));
    await settled();
    const error = { code: -32002, message: 'no such thread', data: { a: 1 } };
    expect(channel.sent).toEqual([{ jsonrpc: '2.0', id: 1, error }]);
    expect(log.lines).toEqual([]);
  });

  it('are errors where the result is no JSON', async () => {
    let followed = 0;
    const after = (): void => void followed++;
    const { channel } = newPeer({ handler: new KeepingHandler({ give: () => ({ result: 1n, after }) }) });
    channel.hear(request(1, 'give'));
    await settled();
    expect(channel.sent).toEqual([failure(1, -32603)]);
    expect(followed).toBe(0);
  });

  it('stand when what follows them fails', async () => {
    const after = (): void => {
      throw new Error('too late');
    };
    const { channel, log } = newPeer({ handler: new KeepingHandler({ give: () => ({ result: 1, after }) }) });
    channel.hear(request(1, 'give'), request(2));
    await settled();
    expect(channel.sent).toEqual([response(1, 1), response(2, { method: 'echo' })]);
    expect(log.lines).toHaveLength(1);
  });

  it('refuse what is more than the limit as something to try again', async () => {
    const open = deferred<Reply>();
    const { channel } = newPeer({
      handler: new KeepingHandler({ slow: () => open.promise }),
      limits: { maxConcurrentRequests: 2 },
    });
    channel.hear(request(1, 'slow'), request(2, 'slow'), request(3), update({}));
    await settled();
    expect(channel.sent).toEqual([
      {
        jsonrpc: '2.0',
        id: 3,
        error: expect.objectContaining({ code: -32603, data: { code: 'too-many', retryable: true } }) as object,
      },
    ]);
    open.resolve({ result: 'done' });
    await settled();
    channel.hear(request(4));
    await settled();
    expect(channel.sent.slice(1)).toEqual([response(1, 'done'), response(2, 'done'), response(4, { method: 'echo' })]);
  });
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', '', 'rpc.x'])(
  'the method %j is the handler’s to know like any other',
  async (method) => {
    const { channel, handler } = newPeer();
    channel.hear(request(1, method), { jsonrpc: '2.0', method });
    await settled();
    expect(channel.sent).toEqual([response(1, { method })]);
    expect(handler.heard).toEqual([method]);
  },
);

test('a notification that its handler cannot take changes nothing', async () => {
  class Failing extends KeepingHandler {
    override notification(method: string, params: unknown): void {
      super.notification(method, params);
      throw new Error('hunter2');
    }
  }
  const { channel, handler, log } = newPeer({ handler: new Failing() });
  channel.hear(update({ n: 1 }), update({ n: 2 }), request(1));
  await settled();
  expect(handler.heard).toEqual([{ n: 1 }, { n: 2 }]);
  expect(channel.sent).toEqual([response(1, { method: 'echo' })]);
  expect(log.lines.map(({ level }) => level)).toEqual(['error', 'error']);
});

test('parameters that are no JSON are their sender’s fault', async () => {
  const { channel, peer } = newPeer();
  expect(() => peer.notify('update', { n: 1n })).toThrow(TypeError);
  await expect(peer.request('ask', { n: 1n })).rejects.toThrow(TypeError);
  expect(channel.sent).toEqual([]);
});

describe('the end', () => {
  it.each(['this side', 'the other side', 'a failure'])(
    'by %s fails what waits, aborts what runs, is told once, and nothing is sent after it',
    async (by) => {
      const signals: AbortSignal[] = [];
      const handler = new KeepingHandler({
        wait: async (_params, { signal }) => {
          signals.push(signal);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          peer.notify('update', { n: 1 });
          throw signal.reason;
        },
      });
      const { channel, clock, log, peer } = newPeer({ handler });
      const aborter = new AbortController();
      const asked = [peer.request('ask', {}, { timeoutMs: 10, signal: aborter.signal }), peer.request('ask', {})];
      const rejections = Promise.all(asked.map((each) => expect(each).rejects.toMatchObject({ code: 'client-gone' })));
      channel.hear(request(1, 'wait'));
      const error = by === 'a failure' ? new Error('EPIPE') : undefined;
      if (by === 'this side') await peer.close();
      else channel.receiver.closed(error);
      await rejections;
      channel.hear(request(2), update({ n: 2 }), 'nonsense', response(1, {}));
      channel.receiver.closed();
      channel.receiver.malformed(new Fault('too-large', 'long'));
      peer.notify('update', { n: 3 });
      aborter.abort();
      await expect(peer.request('ask', {})).rejects.toMatchObject({ code: 'client-gone' });
      await clock.advance(10_000);
      expect(signals.map(({ aborted, reason }) => [aborted, (reason as Fault).code])).toEqual([[true, 'client-gone']]);
      expect(channel.sent).toEqual([request(1, 'ask', {}), request(2, 'ask', {})]);
      expect(handler.heard).toEqual([]);
      expect(handler.ends).toEqual([error]);
      expect(log.lines).toEqual([]);
    },
  );

  it('comes before what would have followed an answer', async () => {
    const slow = deferred<Reply>();
    let followed = 0;
    const { channel, peer } = newPeer({ handler: new KeepingHandler({ slow: () => slow.promise }) });
    channel.hear(request(1, 'slow'));
    await peer.close();
    slow.resolve({ result: 1, after: () => void followed++ });
    await settled();
    expect([channel.sent, followed]).toEqual([[], 0]);
  });

  it('closes the channel each time it is asked to', async () => {
    const { channel, handler, peer } = newPeer();
    await Promise.all([peer.close(), peer.close()]);
    expect(channel.closes).toBe(2);
    expect(handler.ends).toEqual([undefined]);
  });

  it('is one even where cleaning up fails', async () => {
    class Failing extends KeepingHandler {
      override closed(): void {
        throw new Error('hunter2');
      }
    }
    const { log, peer } = newPeer({ handler: new Failing() });
    await peer.close();
    expect(log.lines).toHaveLength(1);
  });
});
