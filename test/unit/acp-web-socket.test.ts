import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { AcpPort, ann, bob, closeOf, initialize, tokens } from '../support/acp-port.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

beforeEach(() => {
  vi.spyOn(console, 'warn').mockReturnValue();
});

afterEach(() => {
  vi.restoreAllMocks();
});

function offered(token: string): string {
  return `anyport.token.${Buffer.from(token).toString('base64url')}`;
}

async function next(webSocket: WebSocket): Promise<unknown> {
  const [data] = (await once(webSocket, 'message')) as [Buffer];
  return JSON.parse(data.toString()) as unknown;
}

describe('the caller of a WebSocket', () => {
  it('is known by its header', async () => {
    await using port = await AcpPort.open({ config: { tokens } });
    const { status, headers } = await port.knock('/acp/demo', { headers: bob });
    expect(status).toBe(101);
    expect(headers['acp-connection-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(port.door.connected[0]?.principal).toEqual({ scope: 'acme', actor: 'bob' });
  });

  it('is known by the token among its subprotocols, which is never said back', async () => {
    await using port = await AcpPort.open({ config: { tokens } });
    const { status, headers } = await port.knock('/acp/demo', {}, ['acp', offered('ann-token+/=')]);
    expect(status).toBe(101);
    expect(headers['sec-websocket-protocol']).toBe('acp');
    expect(port.door.connected[0]?.principal).toEqual({ scope: 'acme', actor: 'ann' });
    expect(port.logged.join('')).not.toContain(offered('ann-token+/='));
  });

  it('is told no subprotocol that it is not spoken to in', async () => {
    await using port = await AcpPort.open({ config: { tokens } });
    await expect(port.knock('/acp/demo', {}, ['other', offered('bob-token')])).rejects.toThrow(
      'Server sent no subprotocol',
    );
  });

  it.each([
    ['none', {}, []],
    ['a wrong one', { headers: { authorization: 'Bearer nobody' } }, []],
    ['a wrong one among its subprotocols', {}, ['acp', offered('nobody')]],
    ['an empty one among its subprotocols', {}, ['acp', offered('')]],
    [
      'a wrong one that a right subprotocol cannot mend',
      { headers: { authorization: 'Bearer x' } },
      [offered('bob-token')],
    ],
  ])('is refused before the upgrade with a token that is %s', async (_, options, protocols) => {
    await using port = await AcpPort.open({ config: { tokens } });
    const { status, headers, body } = await port.knock('/acp/demo', options, protocols);
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer');
    expect(JSON.parse(body)).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(port.door.connected).toEqual([]);
  });
});

describe('a ticket', () => {
  async function buy(
    port: AcpPort,
    headers: Record<string, string> = ann,
  ): Promise<{ path: string; expiresAt: string }> {
    const response = await port.ask('POST', { path: '/acp/tickets', headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { ticket, expiresAt } = (await response.json()) as { ticket: string; expiresAt: string };
    return { path: `/acp/demo?ticket=${ticket}`, expiresAt };
  }

  it('connects one WebSocket as its buyer, and no further one', async () => {
    await using port = await AcpPort.open({ config: { tokens } });
    const { path } = await buy(port);
    expect(await port.knock(path)).toMatchObject({ status: 101 });
    expect(port.door.connected[0]?.principal).toEqual({ scope: 'acme', actor: 'ann' });
    const { status, headers } = await port.knock(path);
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer');
    expect(port.door.connected).toHaveLength(1);
  });

  it('is good for its time', async () => {
    const clock = new ManualClock();
    await using port = await AcpPort.open({ config: { tokens }, clock });
    const first = await buy(port);
    expect(first.expiresAt).toBe(new Date(clock.now() + 30_000).toISOString());
    const second = await buy(port);
    await clock.advance(29_999);
    expect((await port.knock(first.path)).status).toBe(101);
    await clock.advance(1);
    expect((await port.knock(second.path)).status).toBe(401);
  });

  it('is held by one actor in no more than a number, until they are used or expire', async () => {
    const clock = new ManualClock();
    await using port = await AcpPort.open({ config: { tokens }, clock, limits: { maxConnectTicketsPerActor: 2 } });
    const { path } = await buy(port);
    await buy(port);
    expect((await port.ask('POST', { path: '/acp/tickets', headers: ann })).status).toBe(429);
    await buy(port, bob);
    await port.knock(path);
    await buy(port);
    expect((await port.ask('POST', { path: '/acp/tickets', headers: ann })).status).toBe(429);
    await clock.advance(30_000);
    await buy(port);
  });

  it('is sold to callers that are known, and connects nothing but WebSockets', async () => {
    await using port = await AcpPort.open({ config: { tokens } });
    expect((await port.ask('POST', { path: '/acp/tickets' })).status).toBe(401);
    expect((await port.ask('GET', { path: '/acp/tickets', headers: ann })).status).toBe(405);
    const { path } = await buy(port);
    expect((await port.ask('POST', { path, body: initialize() })).status).toBe(401);
    expect((await port.knock(path)).status).toBe(101);
  });

  it('is refused when nobody bought it, even where nobody needs one', async () => {
    await using port = await AcpPort.open();
    expect((await port.knock('/acp/demo?ticket=x')).status).toBe(401);
  });
});

describe('a WebSocket', () => {
  it.each([
    ['of a page from elsewhere', '/acp/demo', { origin: 'https://evil.example' }, 403],
    ['to another host', '/acp/demo', { headers: { host: 'evil.example' } }, 403],
    ['to an agent that is not there', '/acp/nobody', {}, 404],
  ])('%s is refused', async (_, path, options, status) => {
    await using port = await AcpPort.open();
    const refused = await port.knock(path, options);
    expect(refused.status).toBe(status);
    expect(JSON.parse(refused.body)).toMatchObject({ status });
    expect(port.door.connected).toEqual([]);
  });

  it('whose handshake is ill-formed is refused, and takes no place', async () => {
    await using port = await AcpPort.open({ limits: { maxConnections: 1 } });
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const [response] = (await once(get(port.url(), { headers }), 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(400);
    expect(await text(response)).toContain('Sec-WebSocket-Key');
    await until('the door to be closed', () => port.door.open === 0);
    expect((await port.knock()).status).toBe(101);
  });

  it('is logged when it ends', async () => {
    await using port = await AcpPort.open();
    const { webSocket } = await port.knock('/acp/demo?from=here');
    webSocket.close();
    const entry = await until('the log entry', () => port.logged.find((line) => line.includes('"status":101')));
    expect(JSON.parse(entry)).toMatchObject({ msg: 'answered', door: 'ACP', path: '/acp/demo', scope: 'local' });
  });

  it.each([
    ['is too long', JSON.stringify({ ...initialize(), padding: 'x'.repeat(2000) }), 1009],
    ['is binary', Buffer.from(JSON.stringify(initialize())), 1003],
    ['is not the first that there must be', '{"jsonrpc":"2.0","id":1,"method":"session/list"}', 1002],
  ])('is closed with a reason for a message that %s', async (_, message, code) => {
    await using port = await AcpPort.open({ config: { limits: { maxBodyBytes: 1024 } } });
    const { webSocket } = await port.knock();
    webSocket.send(message);
    expect(await closeOf(webSocket)).toMatchObject({ code });
    await until('the door to be closed', () => port.door.open === 0);
  });

  it('outlives what is not JSON', async () => {
    await using port = await AcpPort.open();
    const { webSocket } = await port.knock();
    webSocket.send('{');
    expect(await next(webSocket)).toMatchObject({ id: null, error: { code: -32_700 } });
    webSocket.send(JSON.stringify(initialize('a')));
    expect(await next(webSocket)).toMatchObject({ id: 'a', result: { protocolVersion: 1 } });
  });

  it('may break after it was closed, and nothing else with it', async () => {
    await using port = await AcpPort.open();
    const { webSocket, socket } = await port.knock();
    // It does not read that it is closed, and goes on with what no client says.
    webSocket.pause();
    webSocket.send('{"jsonrpc":"2.0","id":1,"method":"session/list"}');
    await until('the door to be closed', () => port.door.open === 0);
    socket?.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await until('the log entry', () => port.logged.find((line) => line.includes('"status":101')));
    webSocket.terminate();
    expect((await port.knock()).status).toBe(101);
  });

  it('whose client says nothing when it is asked is cut off; one that answers is not', async () => {
    const clock = new ManualClock();
    await using port = await AcpPort.open({ clock, limits: { pingMs: 30_000, initializeMs: 1_000_000 } });
    const { webSocket: here } = await port.knock();
    const { webSocket: gone } = await port.knock('/acp/demo', { autoPong: false });
    const cut = closeOf(gone);
    for (let beat = 1; beat <= 3; beat++) {
      const answered = once(here, 'ping');
      await clock.advance(30_000);
      await answered;
      // A pong and this message come in one order, and the answer says that both have come.
      here.send('{');
      await next(here);
    }
    expect(await cut).toMatchObject({ code: 1006 });
    expect(here.readyState).toBe(here.OPEN);
    await until('one to be left', () => port.door.open === 1);
  });

  it('that is not initialized in time is closed, though it answers when it is asked; one that is is not', async () => {
    const clock = new ManualClock();
    await using port = await AcpPort.open({ clock, limits: { initializeMs: 10_000, pingMs: 6000, maxConnections: 3 } });
    const [{ webSocket: silent }, { webSocket: refused }, { webSocket: known }] = await Promise.all([
      port.knock(),
      port.knock(),
      port.knock(),
    ]);
    refused.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: 'one' } }));
    expect(await next(refused)).toMatchObject({ error: { code: -32_602 } });
    known.send(JSON.stringify(initialize()));
    await next(known);
    const closed = Promise.all([closeOf(silent), closeOf(refused)]);
    const asked = once(silent, 'ping');
    await clock.advance(6000);
    await asked;
    silent.send('{');
    expect(await next(silent)).toMatchObject({ error: { code: -32_700 } });
    await clock.advance(3999);
    expect(port.door.open).toBe(3);
    await clock.advance(1);
    expect(await closed).toEqual(Array.from({ length: 2 }, () => ({ code: 1008, reason: 'initialize comes first' })));
    await until('their places to be free', () => port.door.open === 1);
    expect(known.readyState).toBe(known.OPEN);
    expect((await port.knock()).status).toBe(101);
  });

  it('holds its agent back while its client does not read, and is closed when it never does', async () => {
    const limits = { maxBufferedBytes: 100_000, slowViewerMs: 300, closeMs: 200 };
    await using port = await AcpPort.open({ limits });
    const { webSocket } = await port.knock();
    webSocket.send(JSON.stringify(initialize()));
    await next(webSocket);
    webSocket.send('{"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[]}}');
    await next(webSocket);
    webSocket.pause();
    const params = { sessionId: 'session-1', prompt: [{ type: 'text', text: '/flood 1000 100000' }] };
    webSocket.send(JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'session/prompt', params }));
    await until('the connection’s end', () => port.logged.find((line) => line.includes('"status":101')));
    expect(port.door.open).toBe(0);
    expect(port.door.told).toBeGreaterThan(0);
    expect(port.door.told).toBeLessThan(300);
    webSocket.terminate();
  });

  it.each(['at once', 'after it was initialized'])('is told that the gateway goes away, %s', async (when) => {
    const port = await AcpPort.open();
    const { webSocket } = await port.knock();
    if (when !== 'at once') {
      webSocket.send(JSON.stringify(initialize()));
      await next(webSocket);
    }
    const closed = closeOf(webSocket);
    await port.stop();
    expect(await closed).toMatchObject({ code: 1001 });
  });
});
