import { once } from 'node:events';
import { client, methods, type Stream } from '@agentclientprotocol/sdk';
import { describe, expect, it } from 'vitest';
import type { AcpDoor } from '../../adapters/acp/door.ts';
import { deferred } from '../../src/deferred.ts';
import { AcpPort, ann, converse, initialize, lingeringDoor, tokens } from '../support/acp-port.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

type Transport = 'http' | 'webSocket';
const transports: readonly Transport[] = ['http', 'webSocket'];

function streamTo(port: AcpPort, transport: Transport, headers: Record<string, string> = {}): Stream {
  return transport === 'http' ? port.httpStream(headers) : port.webSocketStream(headers);
}

/** Comes, is welcomed, and goes. */
async function visit(port: AcpPort, transport: Transport): Promise<void> {
  if (transport === 'http') {
    const headers = await port.connect();
    expect((await port.ask('DELETE', { headers })).status).toBe(202);
    return;
  }
  const { webSocket, status } = await port.knock();
  expect(status).toBe(101);
  webSocket.send(JSON.stringify(initialize()));
  await once(webSocket, 'message');
  webSocket.close();
  await once(webSocket, 'close');
}

describe.each(transports)('a client over %s', (transport) => {
  it('converses with the agent as its caller, a megabyte at once too', async () => {
    await using port = await AcpPort.open({ config: { tokens } });
    const long = 'ä'.repeat(1_048_576);
    expect(await converse(streamTo(port, transport, ann), 'hello', long)).toEqual(['hello', long]);
    expect(port.door.connected).toEqual([
      expect.objectContaining({
        principal: { scope: 'acme', actor: 'ann' },
        agent: expect.objectContaining({ id: 'demo' }),
      }),
    ]);
  });

  it('is told no half of a character, which strict readers of JSON refuse', async () => {
    await using port = await AcpPort.open();
    expect(await converse(streamTo(port, transport), 'a \ud83d b', '\ud83d\ude00 \\ud83d')).toEqual([
      'a \ufffd b',
      '\ud83d\ude00 \\ud83d',
    ]);
  });

  it('goes on with a session of another connection', async () => {
    await using port = await AcpPort.open();
    const answer = await client().connectWith(streamTo(port, transport), async (agent) => {
      await agent.request(methods.agent.initialize, { protocolVersion: 1, clientCapabilities: {} });
      return await agent.request(methods.agent.session.load, { sessionId: 'earlier', cwd: '/', mcpServers: [] });
    });
    expect(answer).toEqual({});
  });

  it('leaves nothing behind, however often it comes', async () => {
    await using port = await AcpPort.open({ limits: { maxConnections: 5 } });
    for (let round = 0; round < 20; round++) {
      await until('every place to be free', () => port.door.open === 0);
      await Promise.all([1, 2, 3, 4, 5].map(() => visit(port, transport)));
    }
    expect(port.door.connected).toHaveLength(100);
    await until('the last to go', () => port.door.open === 0);
  });

  it('is told nothing of what went wrong inside', async () => {
    const secret = new Error('the password is 1234');
    const never = new Promise<void>(() => undefined);
    const doors: AcpDoor[] = [
      {
        connect: () => {
          throw secret;
        },
      },
      {
        connect: ({ readable }) => ({
          initialized: never,
          closed: readable.cancel(secret).then(() => Promise.reject(secret)),
        }),
      },
      { connect: ({ writable }) => ({ initialized: never, closed: writable.abort(secret) }) },
    ];
    for (const door of doors) {
      await using port = await AcpPort.open({ door });
      const failure: unknown = await converse(streamTo(port, transport), 'hello').catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
      expect(JSON.stringify(failure) + String(failure)).not.toContain('1234');
    }
  });
});

describe('connections', () => {
  it.each(transports)('are limited for each actor and in all, over %s', async (transport) => {
    const limits = { maxConnections: 3, maxConnectionsPerActor: 2 };
    await using port = await AcpPort.open({ config: { tokens }, limits });
    const knock = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      if (transport === 'webSocket') {
        const { status, headers: answered, body } = await port.knock('/acp/demo', { headers });
        return { status, retryAfter: answered['retry-after'], body };
      }
      const response = await port.ask('POST', { body: initialize(), headers });
      return { status: response.status, retryAfter: response.headers.get('retry-after'), body: await response.text() };
    };
    const isIn = { status: transport === 'webSocket' ? 101 : 200 };
    const isOut = { status: 429, retryAfter: '1', body: expect.stringContaining('"code":"too-many"') as string };
    expect(await knock('ann-token+/=')).toMatchObject(isIn);
    expect(await knock('ann-token+/=')).toMatchObject(isIn);
    expect(await knock('ann-token+/=')).toMatchObject(isOut);
    expect(await knock('bob-token')).toMatchObject(isIn);
    expect(await knock('bob-token')).toMatchObject(isOut);
  });

  it.each(transports)('end when the gateway stops, after what was still to say, over %s', async (transport) => {
    const port = await AcpPort.open();
    const app = client();
    const updates: unknown[] = [];
    app.onNotification(methods.client.session.update, ({ params: { update } }) => {
      updates.push('content' in update ? update.content : update);
    });
    const connection = app.connect(streamTo(port, transport));
    await connection.agent.request(methods.agent.initialize, { protocolVersion: 1, clientCapabilities: {} });
    const { sessionId } = await connection.agent.request(methods.agent.session.new, { cwd: '/', mcpServers: [] });
    const prompt = [{ type: 'text', text: 'hello' } as const];
    await connection.agent.request(methods.agent.session.prompt, { sessionId, prompt });
    await port.stop();
    await connection.closed;
    expect(updates).toEqual([
      { type: 'text', text: 'hello' },
      { type: 'text', text: 'good bye' },
    ]);
    expect(port.door.open).toBe(0);
  });

  it.each(transports)('that do not end when the gateway stops are ended after a while, over %s', async (transport) => {
    const clock = new ManualClock();
    const port = await AcpPort.open({ clock, door: lingeringDoor, limits: { closeMs: 500 } });
    const welcome = deferred();
    const app = client().onNotification('*', () => welcome.resolve());
    const connection = app.connect(streamTo(port, transport));
    await connection.agent.request(methods.agent.initialize, { protocolVersion: 1, clientCapabilities: {} });
    await welcome.promise;
    const stopped = port.stop();
    await clock.advance(499);
    expect(connection.signal.aborted).toBe(false);
    await clock.advance(1);
    await connection.closed;
    await stopped;
  });
});
