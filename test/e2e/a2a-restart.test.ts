import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskState } from '@a2a-js/sdk';
import { expect, test } from 'vitest';
import { artifactText, connect, dataOf, message, readFrames, sendTask } from '../support/a2a-server.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { violations } from '../support/store-violations.ts';

const { TASK_STATE_COMPLETED, TASK_STATE_INPUT_REQUIRED } = TaskState;
const get = (id: string) => ({ tenant: '', id });

/** How a stream is begun, and how it is gone on with, on the wire of each binding. */
const wires = {
  JSONRPC: {
    begin: (url: string, params: object) => ({
      url,
      body: { jsonrpc: '2.0', id: 1, method: 'SendStreamingMessage', params },
    }),
    goOn: (url: string, id: string) => ({
      url,
      body: { jsonrpc: '2.0', id: 1, method: 'SubscribeToTask', params: { id } },
    }),
    frame: ({ result }: Record<string, unknown>) => result,
  },
  'HTTP+JSON': {
    begin: (url: string, body: object) => ({ url: `${url}/message:stream`, body }),
    goOn: (url: string, id: string) => ({ url: `${url}/tasks/${id}:subscribe`, body: {} }),
    frame: (data: Record<string, unknown>) => data,
  },
} as const;

interface WireFrame {
  readonly task?: { readonly id: string };
  readonly artifactUpdate?: { readonly append?: boolean; readonly artifact: { readonly parts: { text?: string }[] } };
}

test.each(['JSONRPC', 'HTTP+JSON'] as const)(
  'a task asked before kill -9 is answered after it, and a stream that it cut goes on, over %s',
  async (binding) => {
    const wire = wires[binding];
    await using directory = await temporaryDirectory();
    const config = join(directory.path, 'anyport.yaml');
    await writeFile(config, 'a2a: { callerIs: person }\n');
    const dataDir = join(directory.path, 'data');
    const args = ['--config', config];
    const first = await GatewayProcess.start(dataDir, { args });
    const asked = await sendTask(await connect(first.url, binding), message('/approve', { contextId: 'mine' }));
    expect(asked.status?.state).toBe(TASK_STATE_INPUT_REQUIRED);
    const params = { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: '/stream 300 5' }] } };
    const begun = wire.begin(`${first.url}/a2a/demo`, params);
    const frames = await readFrames(begun.url, { body: begun.body }, (read) => read.length >= 10);
    const taskId = (wire.frame(frames[0]?.data ?? {}) as WireFrame).task?.id ?? '';
    await first.kill();

    const second = await GatewayProcess.start(dataDir, { args });
    const client = await connect(second.url, binding);
    const [question] = dataOf((await client.getTask(get(asked.id))).status?.message?.parts ?? []);
    const data = { ticketId: question?.['ticketId'], approved: true };
    const done = await sendTask(client, message('', { taskId: asked.id, data }));
    expect(done).toMatchObject({ id: asked.id, contextId: 'mine', status: { state: TASK_STATE_COMPLETED } });

    const again = wire.goOn(`${second.url}/a2a/demo`, taskId);
    const headers = { 'last-event-id': frames.at(-1)?.id ?? '' };
    frames.push(...(await readFrames(again.url, { body: again.body, headers }, () => false)));
    const text = frames.reduce((told, { data }) => {
      const { artifactUpdate } = wire.frame(data) as WireFrame;
      if (artifactUpdate === undefined) return told;
      const chunk = artifactUpdate.artifact.parts.map((part) => part.text ?? '').join('');
      return artifactUpdate.append === true ? told + chunk : chunk;
    }, '');
    expect(text).toBe(artifactText(await client.getTask(get(taskId))));
    expect(await second.stop()).toBe(0);
    expect(await violations(dataDir, { transcripts: [] })).toEqual([]);
  },
);

test('cards are read without a token, and tell how callers reach the gateway; calls need one', async () => {
  await using directory = await temporaryDirectory();
  const config = join(directory.path, 'anyport.yaml');
  await writeFile(config, 'publicUrl: https://agents.example.com\ntokens: [{ token: secret, actor: ann }]\n');
  const gateway = await GatewayProcess.start(join(directory.path, 'data'), { args: ['--config', config] });
  const card = await fetch(`${gateway.url}/.well-known/agent-card.json`, { headers: { 'a2a-version': '1.0' } });
  expect(await card.json()).toMatchObject({
    supportedInterfaces: [{ url: 'https://agents.example.com/a2a/demo', protocolBinding: 'JSONRPC' }, {}, {}, {}],
    securityRequirements: [{ schemes: { bearer: {} } }],
    capabilities: { extendedAgentCard: true },
  });
  const call = (headers: Record<string, string>) =>
    fetch(`${gateway.url}/a2a/demo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0', ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'GetExtendedAgentCard' }),
    });
  const refused = await call({});
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toBe('Bearer');
  expect(await refused.json()).toMatchObject({
    jsonrpc: '2.0',
    id: null,
    error: { data: [{ reason: 'UNAUTHENTICATED' }] },
  });
  expect(await (await call({ authorization: 'Bearer secret' })).json()).toMatchObject({
    id: 1,
    result: { name: 'Demo' },
  });
  expect(await gateway.stop()).toBe(0);
});
