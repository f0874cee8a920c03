import { Buffer } from 'node:buffer';
import { type Part, TaskState } from '@a2a-js/sdk';
import { legacyPushNotificationToV1StreamResponse } from '@a2a-js/sdk/compat/v0_3';
import { LegacyJsonRpcTransport, LegacyRestTransport } from '@a2a-js/sdk/compat/v0_3/client';
import { LegacyGrpcTransport } from '@a2a-js/sdk/compat/v0_3/client/grpc';
import { LegacyA2AService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { credentials, makeGenericClientConstructor, type ServiceError, status as codes } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/deferred.ts';
import { cardOf, metadataOf, raw } from '../support/a2a-grpc-client.ts';
import {
  type A2aServer,
  artifactText,
  dataOf,
  follow,
  message,
  readFrames,
  rpc,
  serveA2a,
} from '../support/a2a-server.ts';
import { scripted } from '../support/mailbox-fixture.ts';
import { until } from '../support/until.ts';
import { assertAuthorized, receiveWebhooks, type WebhookReceiver, webhookConfig } from '../support/webhook-receiver.ts';

const bindings = [
  ['JSONRPC', ({ url }: A2aServer) => new LegacyJsonRpcTransport({ endpoint: `${url}/a2a/demo` })],
  ['HTTP+JSON', ({ url }: A2aServer) => new LegacyRestTransport({ endpoint: `${url}/a2a/demo` })],
  ['GRPC', async (server: A2aServer) => new LegacyGrpcTransport({ endpoint: await legacyAddress(server) })],
] as const;

async function legacyAddress(server: A2aServer): Promise<string> {
  const { supportedInterfaces } = await cardOf(server);
  const isLegacy = supportedInterfaces.filter(({ protocolVersion }) => protocolVersion === '0.3');
  return isLegacy.find(({ protocolBinding }) => protocolBinding === 'GRPC')?.url ?? '';
}

const { TASK_STATE_WORKING, TASK_STATE_INPUT_REQUIRED, TASK_STATE_COMPLETED, TASK_STATE_CANCELED } = TaskState;

/** What a receiver of 0.3 was told, as the SDK reads it. */
function tasksOf({ accepted }: WebhookReceiver) {
  return accepted.map(({ body }) => {
    const { payload } = legacyPushNotificationToV1StreamResponse(JSON.parse(body));
    if (payload?.$case !== 'task') throw new Error('something else than a task was told');
    return payload.value;
  });
}

describe.each(bindings)('a client of 0.3 over %s', (binding, connect) => {
  it('does what 0.3 can', async () => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server);
    const sent = await client.sendMessage({ ...message('hello'), configuration: blocking });
    if ('messageId' in sent) throw new Error('a message came instead of a task');
    expect(artifactText(sent)).toContain('hello');
    expect(artifactText(await client.getTask({ tenant: '', id: sent.id }))).toContain('hello');
    const { history } = await client.getTask({ tenant: '', id: sent.id, historyLength: 0 });
    // In gRPC of 0.3, 0 is what is not said.
    expect(history).toHaveLength(binding === 'GRPC' ? 1 : 0);
    const { history: last } = await client.getTask({ tenant: '', id: sent.id, historyLength: 1 });
    expect(last).toHaveLength(1);
    const streamed = await follow(client.sendMessageStream(message('/approve')));
    expect(streamed.states.at(-1)).toBe(TASK_STATE_INPUT_REQUIRED);
    const { id: taskId = '', status } = streamed.task ?? {};
    const [question] = dataOf(status?.message?.parts ?? []);
    const data = { ticketId: question?.['ticketId'], approved: true };
    const answered = await follow(client.sendMessageStream(message('', { taskId, data })));
    expect(answered.states.at(-1)).toBe(TASK_STATE_COMPLETED);
    const waiting = await follow(client.sendMessageStream(message('/form')));
    const id = waiting.task?.id ?? '';
    expect((await follow(client.resubscribeTask({ tenant: '', id }))).states).toEqual([TASK_STATE_INPUT_REQUIRED]);
    const cancelled = await client.cancelTask({ tenant: '', id, metadata: undefined });
    expect(cancelled.status?.state).toBe(TASK_STATE_CANCELED);
    await expect(client.getTask({ tenant: '', id: 'none' })).rejects.toThrow('none');
    await expect(client.cancelTask({ tenant: '', id, metadata: undefined })).resolves.toEqual(cancelled);
    await expect(client.resubscribeTask({ tenant: '', id }).next()).rejects.toThrow('has ended');
  });

  it('gives and gets every kind of part', async () => {
    const parts: Part['content'][] = [
      { $case: 'text', value: 'a text' },
      { $case: 'data', value: { a: [1] } },
      { $case: 'raw', value: Buffer.from('bytes') },
      { $case: 'url', value: 'https://example.com/x.png' },
    ];
    const { card, run } = scripted(async function* ({ messages }) {
      const said = messages[0]?.parts ?? [];
      yield { type: 'artifact', id: 'echo', name: 'echo', parts: said, append: false, last: true };
    });
    const capabilities = { ...card.capabilities, input: ['image' as const] };
    await using server = await serveA2a({ grpc: {} }, [{ card: { ...card, id: 'demo', capabilities }, run }]);
    const request = message('');
    if (request.message === undefined) throw new Error('a request of ours has a message');
    const wire = (content: Part['content']): Part => {
      const isFile = content?.$case === 'raw' || content?.$case === 'url';
      return { content, metadata: undefined, filename: '', mediaType: isFile ? 'image/png' : '' };
    };
    const asked = { ...request, configuration: blocking, message: { ...request.message, parts: parts.map(wire) } };
    const sent = await (await connect(server)).sendMessage(asked);
    if ('messageId' in sent) throw new Error('a message came instead of a task');
    expect(sent.artifacts[0]?.parts.map(({ content }) => content)).toEqual(parts);
    expect(sent.history[0]?.parts.map(({ content }) => content)).toEqual(parts);
  });

  it('has its webhook told the whole task, at each of its states', async () => {
    await using server = await serveA2a({ grpc: {}, push: 'everything' });
    await using receiver = await receiveWebhooks(1);
    const client = await connect(server);
    const taskPushNotificationConfig = webhookConfig(receiver.url);
    const configuration = { ...blocking, taskPushNotificationConfig };
    const asked = await client.sendMessage({ ...message('/approve'), configuration });
    if ('messageId' in asked) throw new Error('a message came instead of a task');
    const states = () => tasksOf(receiver).map(({ status }) => status?.state);
    await until('the question to be told', () => states().includes(TASK_STATE_INPUT_REQUIRED));
    expect(tasksOf(receiver).at(-1)).toEqual(asked);
    const [question] = dataOf(asked.status?.message?.parts ?? []);
    const data = { ticketId: question?.['ticketId'], approved: true };
    const done = await client.sendMessage({ ...message('', { taskId: asked.id, data }), configuration: blocking });
    await until('the end to be told', () => states().at(-1) === TASK_STATE_COMPLETED);
    expect(new Set(states())).toEqual(new Set([TASK_STATE_WORKING, TASK_STATE_INPUT_REQUIRED, TASK_STATE_COMPLETED]));
    expect(tasksOf(receiver).at(-1)).toEqual(done);
    assertAuthorized(receiver, 'application/json');
  });

  it('makes, reads, lists and removes its webhooks', async () => {
    await using server = await serveA2a({ grpc: {}, push: 'status' });
    await using receiver = await receiveWebhooks();
    const client = await connect(server);
    const sent = await client.sendMessage(message('/stream 1000 20', { returnImmediately: true }));
    const taskId = 'messageId' in sent ? '' : sent.id;
    const one = { ...webhookConfig(receiver.url), taskId, id: 'one' };
    expect(await client.createTaskPushNotificationConfig(one)).toEqual(one);
    const unnamed = { ...one, id: '', token: '', authentication: undefined };
    expect(await client.createTaskPushNotificationConfig(unnamed)).toEqual({ ...unnamed, id: taskId });
    expect(await client.getTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' })).toEqual(one);
    const all = { tenant: '', taskId, pageSize: 0, pageToken: '' };
    expect((await client.listTaskPushNotificationConfig(all)).configs.map(({ id }) => id)).toEqual(['one', taskId]);
    await client.deleteTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' });
    await client.deleteTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' });
    await expect(client.getTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' })).rejects.toThrow('one');
    await client.cancelTask({ tenant: '', id: taskId, metadata: undefined });
    await until('the end to be told', () => tasksOf(receiver).at(-1)?.status?.state === TASK_STATE_CANCELED);
    const inside = { ...one, url: 'http://10.0.0.1/' };
    await expect(client.createTaskPushNotificationConfig(inside)).rejects.toThrow('url');
  });

  it('is given the extended card in its own shape', async () => {
    await using server = await serveA2a({ grpc: {}, needsToken: true });
    const card = await (await connect(server)).getExtendedAgentCard({ tenant: '' });
    expect(card.supportedInterfaces.map(({ protocolBinding }) => protocolBinding)).toEqual([
      'JSONRPC',
      'HTTP+JSON',
      'GRPC',
    ]);
    expect(card.securitySchemes['bearer']?.scheme).toMatchObject({ $case: 'httpAuthSecurityScheme' });
    expect(card.securityRequirements).toEqual([{ schemes: { bearer: { list: [] } } }]);
  });
});

const blocking = { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: false };

describe('a webhook', () => {
  it('that is asked for anew in another version is told in its shapes', async () => {
    await using server = await serveA2a({ push: 'status' });
    await using receiver = await receiveWebhooks();
    const sent = await rpc(server.url, {
      jsonrpc: '2.0',
      id: 1,
      method: 'SendMessage',
      params: {
        message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: '/approve' }] },
        configuration: { taskPushNotificationConfig: { url: receiver.url } },
      },
    });
    const { id: taskId } = (sent.body['result'] as { task: { id: string } }).task;
    await until('the question to be told', () => receiver.accepted.length === 2);
    expect(receiver.accepted.every(({ body }) => 'statusUpdate' in (JSON.parse(body) as object))).toBe(true);
    const client = new LegacyRestTransport({ endpoint: `${server.url}/a2a/demo` });
    const same = { ...webhookConfig(receiver.url), taskId, token: '', authentication: undefined };
    await client.createTaskPushNotificationConfig(same);
    await client.cancelTask({ tenant: '', id: taskId, metadata: undefined });
    await until('the end to be told', () => receiver.accepted.length > 2);
    expect(JSON.parse(receiver.accepted.at(-1)?.body ?? '')).toMatchObject({
      kind: 'task',
      id: taskId,
      status: { state: 'canceled' },
    });
  });
});

describe('a stream of 0.3 says which event is its last, also at a question:', () => {
  const headers = { 'a2a-version': '0.3' };
  const finalsOf = (frames: readonly { readonly final?: boolean }[]): (boolean | undefined)[] =>
    frames.filter((frame) => 'final' in frame).map(({ final }) => final);

  it.each([
    ['/form', 1],
    ['/tool', 3],
  ])('%s over JSON-RPC and HTTP+JSON', async (text, count) => {
    await using server = await serveA2a();
    const message = { kind: 'message', messageId: 'm', role: 'user', parts: [{ kind: 'text', text }] };
    const body = { jsonrpc: '2.0', id: 1, method: 'message/stream', params: { message } };
    const responses = await readFrames(`${server.url}/a2a/demo`, { body, headers }, () => false);
    const wanted = [...Array.from({ length: count - 1 }, () => false), true];
    expect(finalsOf(responses.map(({ data }) => data['result'] as object))).toEqual(wanted);
    const sent = { message: { messageId: 'm', role: 'ROLE_USER', content: [{ text }] } };
    const frames = await readFrames(`${server.url}/a2a/demo/v1/message:stream`, { body: sent, headers }, () => false);
    const updates = frames.flatMap(({ data: { statusUpdate } }) => (statusUpdate as object | undefined) ?? []);
    expect(finalsOf(updates)).toEqual(wanted);
  });

  it.each([
    ['/form', 1],
    ['/tool', 3],
  ])('%s over gRPC', async (text, count) => {
    await using server = await serveA2a({ grpc: {} });
    const Client = makeGenericClientConstructor(LegacyA2AService, 'A2AService');
    const client = new Client(await legacyAddress(server), credentials.createInsecure());
    const part = { part: { $case: 'text', value: text }, metadata: undefined };
    const about = { messageId: 'm', contextId: '', taskId: '', role: 1, metadata: undefined, extensions: [] };
    const request = { request: { ...about, content: [part] }, configuration: undefined, metadata: undefined };
    const stream = client['sendStreamingMessage']?.(request) as AsyncIterable<LegacyFrame>;
    const updates: { readonly final: boolean }[] = [];
    for await (const { payload } of stream) if (payload?.$case === 'statusUpdate') updates.push(payload.value);
    expect(finalsOf(updates)).toEqual([...Array.from({ length: count - 1 }, () => false), true]);
    client.close();
  });
});

type LegacyFrame = ReturnType<typeof LegacyA2AService.sendStreamingMessage.responseDeserialize>;

describe('gRPC of 0.3', () => {
  const { path, requestSerialize, responseDeserialize } = LegacyA2AService.getTask;
  const ask = async (
    server: A2aServer,
    bytes: Buffer,
    entries: Record<string, string>,
  ): Promise<ServiceError | null> => {
    const client = await raw(server);
    const answered = deferred<ServiceError | null>();
    const metadata = metadataOf({ 'a2a-version': '0.3', ...entries });
    client.makeUnaryRequest(path, () => bytes, responseDeserialize, {}, metadata, answered.resolve);
    const error = await answered.promise;
    client.close();
    return error;
  };

  it('refuses another version, what it cannot read, and whom it does not know', async () => {
    await using server = await serveA2a({ grpc: {} });
    const right = requestSerialize({ name: 'tasks/none', historyLength: 0 });
    expect(await ask(server, right, {})).toMatchObject({ code: codes.NOT_FOUND });
    expect(await ask(server, right, { 'a2a-version': '1.0' })).toMatchObject({ code: codes.FAILED_PRECONDITION });
    expect(await ask(server, Buffer.from('nonsense'), {})).toMatchObject({ code: codes.INVALID_ARGUMENT });
    const unnamed = requestSerialize({ name: 'none', historyLength: 0 });
    expect(await ask(server, unnamed, {})).toMatchObject({ code: codes.INVALID_ARGUMENT });
    const stranger = { authorization: 'Bearer nobody' };
    expect(await ask(server, right, stranger)).toMatchObject({ code: codes.UNAUTHENTICATED });
  });
});

describe('HTTP+JSON of 0.3', () => {
  const post = (url: string, path: string, body: unknown, headers = {}) =>
    fetch(`${url}/a2a/demo/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const user = (content: unknown, more: object = {}) => ({ messageId: 'm', role: 'ROLE_USER', content, ...more });

  it('takes both names of every field, and answers as the definition has it', async () => {
    await using server = await serveA2a();
    const asked = { request: { message_id: 'm', role: 1, content: [{ text: 'hello' }], context_id: 'mine' } };
    const response = await post(server.url, '/message:send', asked);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({
      task: {
        contextId: 'mine',
        status: { state: 'TASK_STATE_COMPLETED' },
        history: [{ role: 'ROLE_USER', content: [{ text: 'hello' }] }],
      },
    });
  });

  it('takes a webhook as both official SDKs send it', async () => {
    await using server = await serveA2a({ push: 'status' });
    const { task } = (await (
      await post(server.url, '/message:send', { message: user([{ text: '/form' }]) })
    ).json()) as {
      task: { id: string };
    };
    const config = { name: '', pushNotificationConfig: { id: 'a', url: 'https://example.com/', authentication: {} } };
    for (const body of [config, { parent: `tasks/${task.id}`, config_id: 'a', config }]) {
      const response = await post(server.url, `/tasks/${task.id}/pushNotificationConfigs`, body);
      expect(response.status).toBe(201);
      expect(await response.json()).toMatchObject({
        name: `tasks/${task.id}/pushNotificationConfigs/a`,
        pushNotificationConfig: { id: 'a', url: 'https://example.com/' },
      });
    }
    const other = { ...config, name: 'tasks/other/pushNotificationConfigs/a' };
    expect((await post(server.url, `/tasks/${task.id}/pushNotificationConfigs`, other)).status).toBe(400);
  });

  it.each([
    ['a task that is not there', 'GET', '/tasks/none', undefined, 404, -32001],
    ['a body that is not JSON', 'POST', '/message:send', '{', 400, -32602],
    ['another type', 'POST', '/message:send', undefined, 400, -32005],
    ['another method', 'GET', '/message:send', undefined, 405, -32004],
    ['a list', 'GET', '/tasks', undefined, 400, -32004],
    ['the extended card, which is not offered', 'GET', '/card', undefined, 400, -32007],
    ['webhooks, which are not offered', 'GET', '/tasks/none/pushNotificationConfigs', undefined, 400, -32003],
    ['a path that is none', 'GET', '/nothing', undefined, 404, -32600],
  ])('refuses %s in the words of 0.3', async (_, method, path, body, status, code) => {
    await using server = await serveA2a();
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`${server.url}/a2a/demo/v1${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    expect(response.status).toBe(status);
    const refusal = (await response.json()) as { data: object[] };
    expect(refusal).toMatchObject({ code, message: expect.any(String) });
    expect(refusal.data[0]).toMatchObject({ reason: expect.any(String) });
  });

  it('names every field that is wrong', { tags: 'ill-formed-message-is-refused' }, async () => {
    await using server = await serveA2a();
    const message = { role: 'ROLE_NONE', content: [{ text: 'a', data: { data: {} } }, { file: {} }] };
    const response = await post(server.url, '/message:send', { message, configuration: { historyLength: 'x' } });
    expect(response.status).toBe(400);
    const { data } = (await response.json()) as { data: [unknown, { fieldViolations: { field: string }[] }] };
    expect(data[1].fieldViolations.map(({ field }) => field)).toEqual([
      'message.messageId',
      'message.role',
      'message.content[0]',
      'message.content[1]',
      'configuration.historyLength',
    ]);
  });

  it('takes or refuses whatever a message holds, for what it is', async () => {
    await using server = await serveA2a();
    const whole = user([{ text: 'hello' }]);
    const bodies = [5, 'x', null, [], {}, [5], true].flatMap((value): unknown[] => [
      value,
      { message: value },
      { message: whole, configuration: value },
      { message: whole, metadata: value },
      ...Object.keys({ ...whole, metadata: 0, extensions: 0 }).map((key) => ({ message: { ...whole, [key]: value } })),
      ...['text', 'file', 'data', 'metadata'].map((key) => ({ message: user([{ [key]: value }]) })),
      { message: user([{ file: { fileWithBytes: value } }, { data: { data: value } }]) },
      { message: whole, configuration: { pushNotification: value } },
      { message: whole, configuration: { pushNotification: { url: value } } },
    ]);
    for (const body of bodies) {
      const response = await post(server.url, '/message:send', body);
      expect([200, 400, 404], JSON.stringify(body)).toContain(response.status);
      await response.arrayBuffer();
    }
    expect(server.logged.filter(({ message: said }) => said.includes('failed'))).toEqual([]);
  });

  it('leaves `v1` to be a tenant’s name for who speaks 1.0', async () => {
    await using server = await serveA2a();
    const body = { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'hello' }] } };
    const response = await post(server.url, '/message:send', body, { 'a2a-version': '1.0' });
    expect(response.headers.get('content-type')).toBe('application/a2a+json');
    expect(await response.json()).toMatchObject({ task: { status: { state: 'TASK_STATE_COMPLETED' } } });
  });

  it('goes on with a stream that was cut, where it was', async () => {
    await using server = await serveA2a();
    const url = `${server.url}/a2a/demo/v1`;
    const headers = { 'a2a-version': '0.3' };
    const body = { message: user([{ text: '/stream 50 1' }]) };
    const frames = await readFrames(`${url}/message:stream`, { body, headers }, (read) => read.length >= 10);
    const { id } = (frames[0]?.data['task'] ?? {}) as { id: string };
    const again = { method: 'GET', headers: { ...headers, 'last-event-id': frames.at(-1)?.id ?? '' } };
    frames.push(...(await readFrames(`${url}/tasks/${id}:subscribe`, again, () => false)));
    const text = frames.flatMap(({ data: { artifactUpdate } }) => {
      const { artifact } = (artifactUpdate ?? {}) as { artifact?: { parts: { text: string }[] } };
      return artifact?.parts.map((part) => part.text) ?? [];
    });
    const client = new LegacyRestTransport({ endpoint: `${server.url}/a2a/demo` });
    expect(text.join('')).toBe(artifactText(await client.getTask({ tenant: '', id })));
    expect(frames.at(-1)?.data).toMatchObject({
      statusUpdate: { status: { state: 'TASK_STATE_COMPLETED' }, final: true },
    });
  });
});
