import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AcpDoor } from '../../adapters/acp/door.ts';
import { AcpPort, ann, bob, initialize, lingeringDoor, tokens } from '../support/acp-port.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

const stream = { accept: 'text/event-stream' };
const list = { jsonrpc: '2.0', id: 1, method: 'session/list', params: {} };

beforeEach(() => {
  vi.spyOn(console, 'warn').mockReturnValue();
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a request over streamable HTTP', () => {
  it.each([
    ['POST', { body: '{' }, 400],
    ['POST', { body: '[]' }, 400],
    ['POST', { body: list }, 400],
    ['POST', { body: initialize(), headers: { 'content-type': 'text/plain' } }, 415],
    ['POST', { body: initialize(), path: '/acp/nobody' }, 404],
    ['POST', { body: initialize(), path: '/acp/demo/more' }, 404],
    ['GET', {}, 406],
    ['GET', { headers: { accept: 'text/html' } }, 406],
    ['GET', { headers: stream }, 400],
    ['DELETE', {}, 400],
    ['PUT', { body: initialize() }, 405],
    ['HEAD', {}, 405],
  ])('that is none is refused with the status that says why: %s %j', async (method, asking, status) => {
    await using port = await AcpPort.open();
    const response = await port.ask(method, asking);
    expect(response.status).toBe(status);
    if (status === 405) expect(response.headers.get('allow')).toBe('GET, POST, DELETE');
    expect(port.door.connected).toEqual([]);
  });

  it('that is too large is refused before all of it was read', async () => {
    await using port = await AcpPort.open({ config: { limits: { maxBodyBytes: 1024 } } });
    const response = await port.ask('POST', { body: { ...initialize(), padding: 'x'.repeat(2000) } });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'too-large', status: 413 });
  });

  it('may come from a page that may call, with cookies or without', async () => {
    await using port = await AcpPort.open();
    const origin = 'http://localhost:3000';
    const names = 'acp-connection-id,acp-session-id,authorization,content-type';
    const asked = { 'access-control-request-method': 'DELETE', 'access-control-request-headers': names };
    const preflight = await port.ask('OPTIONS', { headers: { origin, ...asked } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toBe(names);
    const answer = await port.ask('POST', { body: initialize(), headers: { origin } });
    expect(answer.headers.get('access-control-expose-headers')?.split(', ')).toContain('Acp-Connection-Id');
    for (const { headers } of [preflight, answer]) {
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
    }
  });
});

describe('a connection over streamable HTTP', () => {
  it.each([
    ['another caller', '/acp/demo', bob],
    ['another agent', '/acp/other', ann],
  ])('is not there for %s', async (_, path, caller) => {
    await using port = await AcpPort.open({ config: { tokens } });
    const connection = await port.connect(ann);
    const headers = { ...caller, ...connection };
    expect((await port.ask('POST', { body: list, path, headers })).status).toBe(404);
    expect((await port.ask('GET', { path, headers: { ...headers, ...stream } })).status).toBe(404);
    expect((await port.ask('DELETE', { path, headers })).status).toBe(404);
    expect((await port.ask('POST', { body: list, headers: { ...ann, ...connection } })).status).toBe(202);
  });

  it('is over when its client says so', async () => {
    await using port = await AcpPort.open();
    const headers = await port.connect();
    expect((await port.ask('DELETE', { headers })).status).toBe(202);
    expect((await port.ask('DELETE', { headers })).status).toBe(404);
    expect((await port.ask('POST', { body: list, headers })).status).toBe(404);
    await until('the door to be closed', () => port.door.open === 0);
  });

  it('gives its place back when it is over, even if its agent lingers, and when it never began', async () => {
    await using port = await AcpPort.open({ door: lingeringDoor, limits: { maxConnections: 1, closeMs: 1 } });
    expect((await port.ask('POST', { body: list })).status).toBe(400);
    const headers = await port.connect();
    expect((await port.ask('POST', { body: initialize() })).status).toBe(429);
    expect((await port.ask('DELETE', { headers })).status).toBe(202);
    expect((await port.ask('POST', { body: initialize() })).status).toBe(200);
  });

  it('is over when its agent ends it', async () => {
    const door: AcpDoor = {
      connect({ readable, writable }) {
        const writer = writable.getWriter();
        const serve = async (): Promise<void> => {
          await readable.getReader().read();
          await writer.write({ jsonrpc: '2.0', id: 0, result: { protocolVersion: 1 } });
          await writer.close();
        };
        return { initialized: Promise.resolve(), closed: serve() };
      },
    };
    await using port = await AcpPort.open({ door, limits: { maxConnections: 1 } });
    const headers = await port.connect();
    await until('its end', async () => (await port.ask('POST', { body: list, headers })).status === 404);
    expect((await port.ask('POST', { body: initialize() })).status).toBe(200);
  });

  it('is over when nobody used it for a while', async () => {
    const clock = new ManualClock();
    await using port = await AcpPort.open({ clock, limits: { idleMs: 60_000 } });
    const headers = await port.connect();
    await clock.advance(59_999);
    expect((await port.ask('POST', { body: list, headers })).status).toBe(202);
    await clock.advance(59_999);
    expect(port.door.open).toBe(1);
    await clock.advance(1);
    await until('the door to be closed', () => port.door.open === 0);
    expect((await port.ask('POST', { body: list, headers })).status).toBe(404);
  });

  it('is kept for hours, if it is to be', async () => {
    const clock = new ManualClock();
    const hours = 3_600_000;
    const shortSighted = {
      now: () => clock.now(),
      at: (atMs: number, wake: () => void) => clock.at(Math.min(atMs, clock.now() + hours), wake),
    };
    await using port = await AcpPort.open({ clock: shortSighted, limits: { idleMs: 3 * hours } });
    const headers = await port.connect();
    await clock.advance(3 * hours - 1);
    expect(port.door.open).toBe(1);
    await clock.advance(1);
    expect((await port.ask('DELETE', { headers })).status).toBe(404);
  });

  it('is over when its client is not initialized in time, whatever it keeps open', async () => {
    const clock = new ManualClock();
    await using port = await AcpPort.open({ clock, limits: { initializeMs: 10_000, maxConnections: 1 } });
    const refused = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: 'one' } };
    const answer = await port.ask('POST', { body: refused });
    expect(await answer.json()).toMatchObject({ id: 0, error: { code: -32_602 } });
    const headers = { 'acp-connection-id': answer.headers.get('acp-connection-id') ?? '' };
    await open(port, headers);
    await clock.advance(9_999);
    expect((await port.ask('POST', { body: initialize() })).status).toBe(429);
    await clock.advance(1);
    await until('the door to be closed', () => port.door.open === 0);
    expect((await port.ask('POST', { body: list, headers })).status).toBe(404);
    await port.connect();
    await clock.advance(10_000);
    expect(port.door.open).toBe(1);
  });

  it('is in use while a stream of it is open, and after that again idle', async () => {
    const clock = new ManualClock();
    await using port = await AcpPort.open({ clock, limits: { idleMs: 60_000, keepAliveMs: 40_000 } });
    const headers = await port.connect();
    const response = await open(port, headers);
    let heard = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (heard += chunk));
    await clock.advance(80_000);
    await until('a sign of life', () => heard.includes(': keep-alive\n\n'));
    expect(port.door.open).toBe(1);
    response.destroy();
    await until('the stream’s end', () => port.logged.some((line) => line.includes('cut off')));
    await clock.advance(60_000);
    await until('the door to be closed', () => port.door.open === 0);
  });

  it('holds its agent back while its client does not read, and is over when it never does', async () => {
    await using port = await AcpPort.open({ limits: { maxBufferedBytes: 100_000, slowViewerMs: 300 } });
    const headers = await port.connect();
    const session = { ...headers, 'acp-session-id': 'session-1' };
    const params = { sessionId: 'session-1', prompt: [{ type: 'text', text: '/flood 1000 100000' }] };
    await port.ask('POST', { body: { jsonrpc: '2.0', id: 1, method: 'session/new', params: newSession }, headers });
    const unread = await open(port, session);
    await port.ask('POST', { body: { jsonrpc: '2.0', id: 2, method: 'session/prompt', params }, headers: session });
    await until('the door to be closed', () => port.door.open === 0);
    expect(port.door.told).toBeGreaterThan(0);
    expect(port.door.told).toBeLessThan(300);
    unread.destroy();
  });
});

const newSession = { cwd: '/', mcpServers: [] };

/** A stream, which is not read. */
async function open(port: AcpPort, headers: Record<string, string>): Promise<IncomingMessage> {
  const request = get(port.url(), { headers: { ...headers, ...stream }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  return response;
}
