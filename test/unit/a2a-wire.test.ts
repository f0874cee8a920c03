import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AgentCard } from '@a2a-js/sdk';
import { cardOf, encodeCard, encodeHybridCard } from '../../adapters/a2a/card.ts';
import { encodeError, faultTable } from '../../adapters/a2a/faults.ts';
import { readFrames, rpc, serveA2a } from '../support/a2a-server.ts';
import { faults } from '../../schemas/fault.ts';
import { Fault } from '../../src/fault.ts';
import { say, scripted } from '../support/mailbox-fixture.ts';

const user = (parts: unknown[] = [{ text: 'hello' }], more: object = {}) => ({
  messageId: 'm1',
  role: 'ROLE_USER',
  parts,
  ...more,
});
const request = (method: string, params?: object, id: unknown = 1) => ({ jsonrpc: '2.0', id, method, params });

interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data?: { readonly '@type': string; readonly reason?: string; readonly fieldViolations?: object[] }[];
}

describe('JSON-RPC', () => {
  it('answers an id of 0 with 0, and a task that is bare', async () => {
    await using server = await serveA2a();
    const sent = await rpc(server.url, request('SendMessage', { message: user() }, 0));
    expect(sent).toMatchObject({ status: 200, body: { jsonrpc: '2.0', id: 0 } });
    const { task } = sent.body['result'] as { task: { id: string; status: object } };
    expect(task.status).toMatchObject({ state: 'TASK_STATE_COMPLETED' });
    const got = await rpc(server.url, request('GetTask', { id: task.id }, 'x'));
    expect(got.body).toEqual({ jsonrpc: '2.0', id: 'x', result: task });
  });

  it('serves with and without a slash at the end', async () => {
    await using server = await serveA2a();
    const response = await fetch(`${server.url}/a2a/demo/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
      body: JSON.stringify(request('GetTask', { id: 'none' })),
    });
    expect(await response.json()).toMatchObject({ error: { code: -32001 } });
  });

  it.each([
    ['a body that is not JSON', '{', -32700],
    ['a batch', [], -32600],
    ['no method', { jsonrpc: '2.0', id: 1 }, -32600],
    ['an unknown method, before its params', request('Nothing'), -32601],
    ['params that are none', { ...request('GetTask'), params: [] }, -32602],
    ['an unknown task', request('GetTask', { id: 'none' }), -32001],
    ['a message without parts', request('SendMessage', { message: user([]) }), -32602],
    ['push notifications', request('ListTaskPushNotificationConfigs', { taskId: 'x' }), -32003],
    ['the extended card, which is not offered', request('GetExtendedAgentCard'), -32007],
    [
      'media that the agent does not take',
      request('SendMessage', { message: user([{ url: 'http://x/y', mediaType: 'font/woff' }]) }),
      -32005,
    ],
  ])('refuses %s', async (_what, body, code) => {
    await using server = await serveA2a();
    const { status, body: answered } = await rpc(server.url, typeof body === 'string' ? body : body);
    expect(status).toBe(200);
    expect((answered['error'] as WireError).code).toBe(code);
  });

  it('names every field that is wrong', { tags: 'ill-formed-message-is-refused' }, async () => {
    await using server = await serveA2a();
    const params = {
      message: { role: 'ROLE_NONE', parts: [{ metadata: {} }] },
      configuration: { historyLength: -1 },
    };
    const { body } = await rpc(server.url, request('SendMessage', params));
    const { data } = body['error'] as WireError;
    expect(data).toMatchObject([
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'INVALID_PARAMS' },
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [
          { field: 'configuration.historyLength' },
          { field: 'message.messageId' },
          { field: 'message.role' },
          { field: 'message.parts[0]' },
        ],
      },
    ]);
    const two = await rpc(server.url, request('SendMessage', { message: user([{ text: 'a', data: 1 }]) }));
    expect((two.body['error'] as WireError).data?.[1]?.fieldViolations).toMatchObject([{ field: 'message.parts[0]' }]);
  });

  it('takes the names of the protocol’s own definition as well', async () => {
    await using server = await serveA2a();
    const params = { message: { message_id: 'm', role: 1, parts: [{ text: 'hello', media_type: 'text/plain' }] } };
    const { body } = await rpc(server.url, request('SendMessage', params));
    expect(body['result']).toMatchObject({ task: { status: { state: 'TASK_STATE_COMPLETED' } } });
  });

  it(
    'refuses a body that is too large, or of another type, in its own words',
    { tags: 'ill-formed-message-is-refused' },
    async () => {
      await using server = await serveA2a({ limits: { maxBodyBytes: 100_000 } });
      const large = await rpc(server.url, request('SendMessage', { message: user([{ text: 'x'.repeat(200_000) }]) }));
      expect(large).toMatchObject({ status: 413, body: { jsonrpc: '2.0', id: null, error: { code: -32600 } } });
      const other = await rpc(server.url, request('GetTask', { id: 'x' }), { 'content-type': 'text/plain' });
      expect(other).toMatchObject({ status: 200, body: { error: { code: -32005 } } });
    },
  );

  it('tells a fault before the first frame as JSON, not as a stream', async () => {
    await using server = await serveA2a();
    const { headers, body } = await rpc(server.url, request('SubscribeToTask', { id: 'none' }, 0));
    expect(headers.get('content-type')).toBe('application/json');
    expect(body).toMatchObject({ id: 0, error: { code: -32001 } });
  });
});

describe('versions', () => {
  it.each([
    ['1.0', 200, undefined],
    ['1.0.7', 200, undefined],
    ['2.0', 200, -32009],
    ['', 200, -32601],
  ])('%j of the header', { tags: 'ill-formed-message-is-refused' }, async (version, status, code) => {
    await using server = await serveA2a();
    const sent = await rpc(server.url, request('SendMessage', { message: user() }), { 'a2a-version': version });
    expect(sent.status).toBe(status);
    expect((sent.body['error'] as WireError | undefined)?.code).toBe(code);
  });

  it('come in the query as well', async () => {
    await using server = await serveA2a();
    const response = await fetch(`${server.url}/a2a/demo?A2A-Version=1.0`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request('GetTask', { id: 'none' })),
    });
    expect(await response.json()).toMatchObject({ error: { code: -32001 } });
  });
});

it('the same messageId twice is two tasks, and one idempotency key is one', async () => {
  await using server = await serveA2a();
  const send = async (key?: string, text = 'hello'): Promise<unknown> => {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    const { body } = await rpc(server.url, request('SendMessage', { message: user([{ text }]) }), headers);
    return (body['result'] as { task: { id: string } } | undefined)?.task.id ?? (body['error'] as WireError).code;
  };
  expect(await send()).not.toBe(await send());
  const first = await send('k');
  expect(await send('k')).toBe(first);
  expect(await send('k', 'something else')).toBe(-32602);
});

it('a follow-up that is sent again under its key is taken once', async () => {
  await using server = await serveA2a();
  const send = async (message: object, headers: Record<string, string> = {}): Promise<WireTask> => {
    const { body } = await rpc(server.url, request('SendMessage', { message }), headers);
    return (body['result'] as { task: WireTask }).task;
  };
  const asked = await send(user([{ text: '/approve' }]));
  const answer = user([{ data: { approved: true } }], { taskId: asked.id });
  const first = await send(answer, { 'idempotency-key': 'k' });
  expect(first.status.state).toBe('TASK_STATE_COMPLETED');
  expect(await send(answer, { 'idempotency-key': 'k' })).toEqual(first);
});

interface WireTask {
  readonly id: string;
  readonly status: { readonly state: string };
}

describe('extensions', () => {
  const strict = scripted(async function* (_activation, context) {
    yield* say(context, 'answer', 'hello');
  });
  const card = {
    ...strict.card,
    id: 'demo',
    metadata: { a2a: { extensions: [{ uri: 'urn:needed', required: true }] } },
  };

  it('that are required must be asked for, and are echoed', async () => {
    await using server = await serveA2a({}, [{ ...strict, card }]);
    const send = (headers: Record<string, string>) =>
      rpc(server.url, request('SendMessage', { message: user() }), headers);
    expect((await send({})).body).toMatchObject({ error: { code: -32008 } });
    const sent = await send({ 'a2a-extensions': 'urn:other, urn:needed' });
    expect(sent.body['result']).toBeDefined();
    expect(sent.headers.get('a2a-extensions')).toBe('urn:needed');
  });

  it('of a message, and what it refers to, come back with it', async () => {
    await using server = await serveA2a();
    const said = { extensions: ['urn:x'], referenceTaskIds: ['run_1'], metadata: { a: 1 } };
    const { body } = await rpc(server.url, request('SendMessage', { message: user(undefined, said) }));
    expect(body['result']).toMatchObject({ task: { history: [said] } });
  });
});

describe('HTTP+JSON', () => {
  const send = (url: string, path: string, init: RequestInit = {}) =>
    fetch(`${url}/a2a/demo${path}`, { ...init, headers: { 'a2a-version': '1.0', ...(init.headers as object) } });

  it('takes both media types, and the tenant’s form of every path', async () => {
    await using server = await serveA2a();
    for (const type of ['application/json', 'application/a2a+json; charset=utf-8']) {
      for (const path of ['/message:send', '/acme/message:send']) {
        const init = { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify({ message: user() }) };
        const response = await send(server.url, path, init);
        expect(response.headers.get('content-type')).toBe('application/a2a+json');
        expect(await response.json()).toMatchObject({ task: { status: { state: 'TASK_STATE_COMPLETED' } } });
      }
    }
    const body = JSON.stringify({ tenant: 'other', message: user() });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    expect((await send(server.url, '/acme/message:send', init)).status).toBe(400);
  });

  it('subscribes by GET and by POST', async () => {
    await using server = await serveA2a();
    for (const method of ['GET', 'POST']) {
      const sent = await rpc(server.url, request('SendMessage', { message: user([{ text: '/approve' }]) }));
      const { id } = (sent.body['result'] as { task: { id: string } }).task;
      const frames = await readFrames(`${server.url}/a2a/demo/tasks/${id}:subscribe`, { method }, () => false);
      expect(frames).toMatchObject([{ data: { task: { id, status: { state: 'TASK_STATE_INPUT_REQUIRED' } } } }]);
    }
  });

  it('refuses with a google.rpc.Status', async () => {
    await using server = await serveA2a();
    const missing = await send(server.url, '/tasks/none');
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({
      error: { code: 404, status: 'NOT_FOUND', details: [{ reason: 'TASK_NOT_FOUND', domain: 'a2a-protocol.org' }] },
    });
    expect((await send(server.url, '/tasks', { method: 'DELETE' })).status).toBe(405);
    expect((await send(server.url, '/nothing')).status).toBe(404);
    expect((await send(server.url, '/tasks?pageSize=0')).status).toBe(400);
    const unversioned = await fetch(`${server.url}/a2a/demo/tasks`);
    expect(await unversioned.json()).toMatchObject({ error: { details: [{ reason: 'VERSION_NOT_SUPPORTED' }] } });
    expect((await send(server.url, '/tasks/x/pushNotificationConfigs')).status).toBe(400);
    const list = (await (await send(server.url, '/tasks')).json()) as object;
    expect(list).toEqual({ tasks: [], nextPageToken: '', pageSize: 50, totalSize: 0 });
  });
});

describe('a card', () => {
  const demo = JSON.parse(readFileSync(new URL('../golden/a2a/agent.json', import.meta.url), 'utf8')) as never;
  const surroundings = {
    baseUrl: 'https://agents.example.com',
    grpcAddress: 'agents.example.com:9090',
    defaultAgentId: 'demo',
    needsToken: true,
    pushes: true,
  };

  it('has the shape of its version', async () => {
    const card = cardOf(demo, surroundings);
    await expect(`${JSON.stringify(encodeCard(card), null, 2)}\n`).toMatchFileSnapshot('../golden/a2a/card-1.0.json');
    const hybrid = await encodeHybridCard(card);
    await expect(`${JSON.stringify(hybrid, null, 2)}\n`).toMatchFileSnapshot('../golden/a2a/card-hybrid.json');
    expect(AgentCard.fromJSON(encodeCard(card))).toEqual(card);
  });

  it('is kept by those who have it, until it changes', async () => {
    await using server = await serveA2a({ baseUrl: () => 'https://agents.example.com' });
    const first = await fetch(`${server.url}/.well-known/agent-card.json`, { headers: { 'a2a-version': '1.0' } });
    const { supportedInterfaces } = (await first.json()) as { supportedInterfaces: { url: string }[] };
    expect(supportedInterfaces[0]?.url).toBe('https://agents.example.com/a2a/demo');
    expect(first.headers.get('vary')).toBe('A2A-Version');
    expect(first.headers.get('cache-control')).toBe('public, max-age=3600');
    const headers = { 'a2a-version': '1.0', 'if-none-match': first.headers.get('etag') ?? '' };
    const again = await fetch(`${server.url}/a2a/demo/.well-known/agent-card.json`, { headers });
    expect(again.status).toBe(304);
    const modified = { 'if-modified-since': first.headers.get('last-modified') ?? '' };
    expect((await fetch(`${server.url}/.well-known/agent-card.json`, { headers: modified })).status).toBe(304);
    const old = (await (await fetch(`${server.url}/.well-known/agent-card.json`)).json()) as object;
    expect(old).toMatchObject({ url: 'https://agents.example.com/a2a/demo', preferredTransport: 'JSONRPC' });
    expect(await (await fetch(`${server.url}/a2a`)).json()).toMatchObject({ agents: [{ id: 'demo' }] });
    expect((await fetch(`${server.url}/a2a/none/.well-known/agent-card.json`)).status).toBe(404);
  });

  it('in its extended form is for callers who are known', async () => {
    await using server = await serveA2a({ needsToken: true });
    const { body } = await rpc(server.url, request('GetExtendedAgentCard'));
    expect(body['result']).toMatchObject({ name: expect.any(String), capabilities: { extendedAgentCard: true } });
  });
});

it('every fault has its error on both bindings', () => {
  expect(Object.keys(faultTable).toSorted()).toEqual(Object.keys(faults).toSorted());
  for (const code of Object.keys(faultTable) as (keyof typeof faultTable)[]) {
    expect(encodeError(new Fault(code, 'why'))).toMatchObject({
      message: 'why',
      details: [{ domain: 'a2a-protocol.org' }],
    });
  }
});
