import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Receiver } from '../../adapters/acp/channel.ts';
import { dial, type DialOptions } from '../../adapters/acp/dial.ts';
import type { WebSocketChannel } from '../../adapters/acp/web-socket-channel.ts';
import { deferred } from '../../src/deferred.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A gateway that answers each handshake with a status, or 101. */
async function gateway(
  status: number,
  says: readonly string[] = [],
): Promise<{ readonly url: string; readonly sockets: WebSocket[]; readonly asked: string[] }> {
  const server = createServer();
  const sockets: WebSocket[] = [];
  const asked: string[] = [];
  const webSockets = new WebSocketServer({ noServer: true });
  webSockets.on('headers', (headers) => headers.push(...says));
  server.on('upgrade', (request, socket, head) => {
    asked.push(`${request.url ?? ''} ${request.headers.authorization ?? ''}`);
    if (status === 101) webSockets.handleUpgrade(request, socket, head, (webSocket) => sockets.push(webSocket));
    else socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    for (const socket of sockets) socket.terminate();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, sockets, asked };
}

const listenersOf = ({ signal }: AbortController): number => getEventListeners(signal, 'abort').length;

function dialTo(
  url: string,
  over = new AbortController(),
  change: Partial<DialOptions> = {},
): Promise<WebSocketChannel> {
  const options = { url, token: 'secret', clock: new ManualClock(), timeoutMs: 5000, silenceMs: 1000 };
  return dial({ ...options, agentId: () => Promise.resolve('a b'), ...change }, over.signal);
}

class Heard implements Receiver {
  readonly messages: unknown[] = [];
  readonly faults: string[] = [];
  readonly end = deferred();
  message(value: unknown): void {
    this.messages.push(value);
  }
  malformed({ code }: { readonly code: string }): void {
    this.faults.push(code);
  }
  closed(): void {
    this.end.resolve();
  }
}

describe('a gateway that is dialled', () => {
  it.each([
    [401, 'unauthenticated', false],
    [403, 'forbidden', false],
    [404, 'agent-not-found', false],
    [503, 'upstream-failed', true],
  ])('and answers %i is told as %s', async (status, code, retryable) => {
    const { url } = await gateway(status);
    const over = new AbortController();
    await expect(dialTo(url, over)).rejects.toMatchObject({ code, retryable });
    await until('that nothing is left of it', async () => listenersOf(over) === 0);
  });

  it('and is not there is told so, as often as it is tried, and nothing is left of a try', async () => {
    const over = new AbortController();
    for (let tries = 0; tries < 3; tries++) {
      await expect(dialTo('http://127.0.0.1:1', over)).rejects.toMatchObject({
        code: 'upstream-failed',
        retryable: true,
      });
    }
    await until('that nothing is left of them', async () => listenersOf(over) === 0);
  });

  it('and never says which agents it has is not waited for', async () => {
    const clock = new ManualClock();
    const { url, sockets } = await gateway(101);
    const over = new AbortController();
    const agentId = (signal: AbortSignal): Promise<string> =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    const slow = dialTo(url, over, { clock, agentId });
    await Promise.all([clock.advance(5000), expect(slow).rejects.toMatchObject({ code: 'timeout', retryable: true })]);
    const left = dialTo(url, over, { clock, agentId });
    const why = new Error('the IDE has left');
    over.abort(why);
    await expect(left).rejects.toBe(why);
    expect([sockets.length, listenersOf(over)]).toEqual([0, 0]);
  });

  it('by one who has given up is not connected to', async () => {
    const { url, sockets } = await gateway(101);
    const over = new AbortController();
    over.abort();
    await expect(dialTo(url, over)).rejects.toMatchObject({ code: 'upstream-failed' });
    expect(sockets).toHaveLength(0);
  });
});

describe('a connection to a gateway', () => {
  it('is told who calls whom, and carries messages both ways', async () => {
    const { url, sockets, asked } = await gateway(101);
    const over = new AbortController();
    const channel = await dialTo(url, over);
    expect([asked, listenersOf(over)]).toEqual([['/acp/a%20b Bearer secret'], 0]);
    const heard = new Heard();
    channel.open(heard);
    const [there] = sockets;
    const came = once(there as WebSocket, 'message');
    channel.send({ hello: 1 });
    expect(String((await came)[0])).toBe('{"hello":1}');
    there?.send('{"a":1}');
    there?.send('no JSON');
    there?.send('{"b":2}');
    await until('the last', async () => heard.messages.length === 2);
    expect([heard.messages, heard.faults]).toEqual([[{ a: 1 }, { b: 2 }], ['invalid-request']]);
    await channel.close();
    await heard.end.promise;
    channel.send({ late: 1 });
    await channel.close();
  });

  it('sends nothing longer than the gateway takes, in bytes', async () => {
    const { url, sockets } = await gateway(101, ['anyport-max-message-bytes: 20']);
    const channel = await dialTo(url);
    channel.open(new Heard());
    const came: unknown[] = [];
    sockets[0]?.on('message', (data) => came.push(String(data)));
    const longest = { a: 'ä'.repeat(6) };
    expect(() => channel.send({ a: `${longest.a}.` })).toThrow(expect.objectContaining({ code: 'too-large' }));
    channel.send(longest);
    await until('it', async () => came.length > 0);
    expect(came).toEqual([JSON.stringify(longest)]);
    await channel.close();
  });

  it('holds what comes while it is paused', async () => {
    const { url, sockets } = await gateway(101);
    const channel = await dialTo(url);
    const heard = new Heard();
    channel.open(heard);
    channel.pause();
    const flushed = deferred();
    sockets[0]?.send('{"a":1}', () => flushed.resolve());
    await flushed.promise;
    expect(heard.messages).toEqual([]);
    channel.resume();
    await until('it', async () => heard.messages.length === 1);
    await channel.close();
  });

  it('over which nothing comes for too long is broken', async () => {
    const { url, sockets } = await gateway(101);
    const clock = new ManualClock();
    const channel = await dialTo(url, undefined, { clock });
    const heard = new Heard();
    channel.open(heard);
    await clock.advance(900);
    const heardPing = once(sockets[0] as WebSocket, 'pong');
    sockets[0]?.ping();
    await heardPing;
    await clock.advance(900);
    expect(channel.room()).toBeUndefined();
    sockets[0]?.pause();
    await clock.advance(1000);
    await heard.end.promise;
  });

  it('over which nothing is said lives on while the gateway answers, however seldom that asks itself', async () => {
    const { url, sockets } = await gateway(101);
    const clock = new ManualClock();
    const channel = await dialTo(url, undefined, { clock });
    const heard = new Heard();
    channel.open(heard);
    for (let n = 0; n < 4; n++) {
      const asked = once(sockets[0] as WebSocket, 'ping');
      await clock.advance(600);
      await asked;
      // It comes behind the pong.
      sockets[0]?.send(JSON.stringify(n));
      await until('it', async () => heard.messages.length > n);
    }
    await channel.close();
  });
});
