// Our peer against the SDK's own, on each side and over each channel.
import { Readable, Writable } from 'node:stream';
import * as acp from '@agentclientprotocol/sdk';
import { AcpServer } from '@agentclientprotocol/sdk/experimental/server';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../adapters/acp/channel.ts';
import { LinesChannel } from '../../adapters/acp/lines.ts';
import { MessageStreamChannel } from '../../adapters/acp/message-stream.ts';
import { JsonRpcPeer, type PeerHandler, RpcError } from '../../adapters/acp/peer.ts';
import { systemClock } from '../../src/clock.ts';
import { KeepingHandler, pipes } from '../support/acp-channel.ts';

type Wire = () => { readonly channel: Channel; readonly stream: acp.Stream };

const overLines: Wire = () => {
  const [ours, theirs] = pipes();
  return {
    channel: new LinesChannel({ ...ours, clock: systemClock }),
    stream: acp.ndJsonStream(Writable.toWeb(theirs.output) as WritableStream<Uint8Array>, Readable.toWeb(theirs.input)),
  };
};

const overMessages: Wire = () => {
  const there = new TransformStream<acp.AnyMessage, acp.AnyMessage>();
  const back = new TransformStream<acp.AnyMessage, acp.AnyMessage>();
  return {
    channel: new MessageStreamChannel({ readable: there.readable, writable: back.writable }),
    stream: { readable: back.readable, writable: there.writable },
  };
};

const chunks = 200;

/** An agent of ours that streams, asks, and stops when it is told to. */
function newAgent(channel: Channel): JsonRpcPeer {
  const update = (sessionId: string, text: string): object => ({
    sessionId,
    update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } },
  });
  const handler = new KeepingHandler({
    initialize: () => ({ result: { protocolVersion: 1, agentCapabilities: {} } }),
    'session/new': () => ({
      result: { sessionId: 's' },
      after: () => peer.notify('session/update', update('s', 'hello')),
    }),
    'session/prompt': async (_params, { signal }) => {
      for (let n = 0; n < chunks; n++) {
        peer.notify('session/update', update('s', String(n)));
        await peer.room();
      }
      const asked = { sessionId: 's', toolCall: { toolCallId: 't' }, options: [] };
      await peer.request('session/request_permission', asked, { signal });
      return { result: { stopReason: 'end_turn' } };
    },
    'session/load': () => {
      throw new RpcError(-32002, 'no such session', { sessionId: 's' });
    },
    _hang: async (_params, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    },
  });
  const peer = new JsonRpcPeer({ channel, handler, clock: systemClock });
  return peer;
}

describe.each([
  ['lines', overLines],
  ['messages', overMessages],
])('over %s', (_name, wire) => {
  it('a client of the SDK is served', async () => {
    const { channel, stream } = wire();
    const peer = newAgent(channel);
    const texts: string[] = [];
    const app = acp
      .client({ name: 'test' })
      .onNotification('session/update', ({ params: { update } }) => {
        if (update.sessionUpdate === 'agent_message_chunk' && update.content.type === 'text')
          texts.push(update.content.text);
      })
      .onRequest('session/request_permission', () => ({ outcome: { outcome: 'cancelled' } }));
    await app.connectWith(stream, async (agent) => {
      await agent.request('initialize', { protocolVersion: 1 });
      await agent.request('session/new', { cwd: '/', mcpServers: [] });
      const prompt = { sessionId: 's', prompt: [] };
      expect(await agent.request('session/prompt', prompt)).toEqual({ stopReason: 'end_turn' });
      expect(texts).toEqual(['hello', ...Array.from({ length: chunks }, (_, n) => String(n))]);
      const load = agent.request('session/load', { sessionId: 's', cwd: '/', mcpServers: [] });
      await expect(load).rejects.toMatchObject({ code: -32002, message: 'no such session', data: { sessionId: 's' } });
      const aborter = new AbortController();
      const hang = agent.request('_hang', {}, { cancellationSignal: aborter.signal });
      aborter.abort();
      await expect(hang).rejects.toMatchObject({ code: -32800 });
    });
    await peer.close();
  });

  it('an agent of the SDK is called', async () => {
    const { channel, stream } = wire();
    const heard: unknown[] = [];
    const handler: PeerHandler = {
      request: (method) => ({ result: { outcome: { outcome: 'selected', optionId: method } } }),
      notification: (_method, params) => heard.push((params as acp.SessionNotification).update),
      closed: () => heard.push('closed'),
    };
    const connection = acp
      .agent({ name: 'test' })
      .onRequest('initialize', () => ({ protocolVersion: 1, agentCapabilities: {} }))
      .onRequest('session/prompt', async ({ params: { sessionId }, client, signal }) => {
        for (let n = 0; n < chunks; n++) {
          const content = { type: 'text' as const, text: String(n) };
          await client.notify('session/update', {
            sessionId,
            update: { sessionUpdate: 'agent_message_chunk', content },
          });
        }
        if (sessionId === 'hangs') {
          if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
          throw acp.RequestError.requestCancelled();
        }
        const toolCall = { toolCallId: 't' };
        const asked: acp.RequestPermissionRequest = { sessionId, toolCall, options: [] };
        const { outcome } = await client.request('session/request_permission', asked);
        return { stopReason: 'end_turn', _meta: { outcome } };
      })
      .connect(stream);
    const peer = new JsonRpcPeer({ channel, handler, clock: systemClock });
    expect(await peer.request('initialize', { protocolVersion: 1 })).toMatchObject({ protocolVersion: 1 });
    const heardAtAnswer = peer.request('session/prompt', { sessionId: 's', prompt: [] }).then((answer) => {
      expect(answer).toMatchObject({ _meta: { outcome: { optionId: 'session/request_permission' } } });
      return heard.length;
    });
    expect(await heardAtAnswer).toBe(chunks);
    const aborter = new AbortController();
    const hanging = peer.request('session/prompt', { sessionId: 'hangs', prompt: [] }, { signal: aborter.signal });
    aborter.abort();
    await expect(hanging).rejects.toMatchObject({ code: -32800, message: 'Request cancelled' });
    await expect(peer.request('constructor', {})).rejects.toMatchObject({ code: -32601 });
    connection.close();
    await connection.closed;
    await peer.close();
    expect(heard.at(-1)).toBe('closed');
  });
});

it('the SDK’s HTTP server hands its connections to it', async () => {
  const peers: JsonRpcPeer[] = [];
  const server = new AcpServer({
    agent: {
      connect: ({ readable, writable }) => {
        peers.push(newAgent(new MessageStreamChannel({ readable, writable })));
      },
    },
  });
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: 1 } });
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const answer = await server.handleRequest(new Request('http://localhost/acp', { method: 'POST', headers, body }));
  expect(await answer.json()).toEqual({ jsonrpc: '2.0', id: 0, result: { protocolVersion: 1, agentCapabilities: {} } });
  await server.close();
  expect(peers).toHaveLength(1);
  await expect(peers[0]?.request('ask', {})).rejects.toMatchObject({ code: 'client-gone' });
});
