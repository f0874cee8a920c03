import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Fault } from '../../../src/fault.ts';
import { type Deeds, receiptFor, type Stub, stubGateway } from '../../support/control-fake-gateway.ts';
import { ControlServer } from '../../support/control-server.ts';
import type { ConfigInput } from '../../../schemas/config.ts';

const servers: ControlServer[] = [];

async function serve(deeds: Deeds = {}, config: ConfigInput = {}): Promise<{ server: ControlServer; stub: Stub }> {
  const stub = stubGateway(deeds);
  const server = await ControlServer.open(stub.gateway, config);
  servers.push(server);
  return { server, stub };
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

const text = (value: unknown): object => ({ role: 'user', parts: [{ type: 'text', text: value }] });

describe('what is wrong with a request', () => {
  it.each<[string, string, unknown, string]>([
    ['an unknown member', 'POST /runs', { text: 'a', extra: 1 }, 'extra'],
    ['an unknown member of a message', 'POST /runs', { messages: [{ ...text('a'), colour: 1 }] }, 'messages[0].colour'],
    [
      'an unknown member of a part',
      'POST /runs',
      { messages: [{ role: 'user', parts: [{ type: 'text', text: 'a', b: 1 }] }] },
      'messages[0].parts[0].b',
    ],
    [
      'a part’s text that is none',
      'POST /runs',
      {
        messages: [
          {
            role: 'user',
            parts: [
              { type: 'text', text: 'a' },
              { type: 'text', text: 7 },
            ],
          },
        ],
      },
      'messages[0].parts[1].text',
    ],
    ['a message of no role', 'POST /runs', { messages: [text('a'), { role: 'king', parts: [] }] }, 'messages[1].role'],
    ['text and messages', 'POST /runs', { text: 'a', messages: [text('b')] }, 'text'],
    ['nothing to say', 'POST /runs', { threadId: 't' }, 'messages'],
    ['no messages', 'POST /runs', { messages: [] }, 'messages'],
    ['an empty text', 'POST /runs', { text: '' }, 'text'],
    ['a blank thread name', 'POST /runs', { text: 'a', threadId: '' }, 'threadId'],
    ['a thread name that URLs resolve', 'POST /runs', { text: 'a', threadId: '..' }, 'threadId'],
    ['a thread name that no URL can say', 'POST /threads', { id: 'a\ud800' }, 'id'],
    ['a fork’s name that URLs resolve', 'POST /threads/t/fork', { id: '.' }, 'id'],
    ['a long thread name', 'POST /runs', { text: 'a', threadId: 'x'.repeat(513) }, 'threadId'],
    ['a priority out of bounds', 'POST /runs', { text: 'a', priority: 256 }, 'priority'],
    ['another way to be busy', 'POST /runs', { text: 'a', whenBusy: 'panic' }, 'whenBusy'],
    [
      'an answer of no kind',
      'POST /runs',
      { decisions: [{ ticketId: 'x', answer: { type: 'maybe' } }] },
      'decisions[0].answer.type',
    ],
    ['input that says nothing', 'POST /runs/r/input', {}, 'messages'],
    ['input for a thread', 'POST /runs/r/input', { text: 'a', threadId: 't' }, 'threadId'],
    ['an edit of no revision', 'PATCH /threads/t/input/a', { messages: [text('a')] }, 'revision'],
    ['an empty order', 'PUT /threads/t/input', { activationIds: [] }, 'activationIds'],
    ['a body where none is taken', 'POST /threads/t/cancel', { force: true }, 'force'],
    ['a prototype', 'POST /runs', '{"text":"a","metadata":{"__proto__":{"polluted":1}}}', 'metadata.__proto__'],
    ['a prototype at the top', 'POST /runs', '{"text":"a","__proto__":{"polluted":1}}', '__proto__'],
    ['an unknown query parameter', 'GET /threads?colour=red', undefined, 'colour'],
    ['a parameter that stands there twice', 'GET /threads?limit=1&limit=2', undefined, 'limit'],
    ['a limit that is no number', 'GET /threads?limit=many', undefined, 'limit'],
    ['a limit that is empty', 'GET /threads?limit=', undefined, 'limit'],
    ['a limit of none', 'GET /threads?limit=0', undefined, 'limit'],
    ['a limit of too many', 'GET /threads?limit=201', undefined, 'limit'],
    ['a wait that is too long', 'GET /runs/r/wait?timeoutMs=60001', undefined, 'timeoutMs'],
    ['a status that is none', 'GET /runs?status=bored', undefined, 'status'],
    ['a flag that is none', 'DELETE /threads/t?force=yes', undefined, 'force'],
    ['a cursor that is none', 'GET /threads/t/events?after=somewhere', undefined, 'after'],
    ['a thread name that is too long', `GET /threads/${'x'.repeat(513)}`, undefined, 'threadId'],
    ['a prototype in the query', 'GET /threads?__proto__=1', undefined, '__proto__'],
  ])('is %s: said by its path, before anything is done', async (_, asked, body, path) => {
    const { server, stub } = await serve();
    const [method = '', target = ''] = asked.split(' ');
    const { status, headers, body: problem } = await server.ask(method, target, { body });
    expect(problem).toMatchObject({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      code: 'invalid-request',
      path,
    });
    expect(status).toBe(400);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(problem.detail).toContain(path);
    expect(stub.called).toEqual([]);
    expect({}).not.toHaveProperty('polluted');
  });

  it.each([
    ['limit=-1', 'limit: must be a whole number from 1 to 200'],
    ['limit=1e2', 'limit: must be a whole number from 1 to 200'],
    ['limit=99999999999999999999', 'limit: must be a whole number from 1 to 200'],
  ])('is a query, and what is allowed there is said: %s', async (query, detail) => {
    const { server } = await serve();
    expect((await server.ask('GET', `/threads?${query}`)).body).toMatchObject({ code: 'invalid-request', detail });
  });

  it.each([
    ['an empty Idempotency-Key', 'POST', '/runs', { 'idempotency-key': '' }, 'Idempotency-Key'],
    ['an Idempotency-Key that is too long', 'POST', '/runs', { 'idempotency-key': 'k'.repeat(513) }, 'Idempotency-Key'],
    ['a Last-Event-ID that is no cursor', 'GET', '/threads/t/events', { 'last-event-id': 'x' }, 'Last-Event-ID'],
  ])('is %s', async (_, method, path, headers, name) => {
    const { server, stub } = await serve();
    const body = method === 'POST' ? { text: 'a' } : undefined;
    expect(await server.ask(method, path, { body, headers })).toMatchObject({
      status: 400,
      body: { path: `["${name}"]` },
    });
    expect(stub.called).toEqual([]);
  });

  it.each([
    ['no JSON', '{"text": ', 400, 'invalid-request'],
    ['no object', '[]', 400, 'invalid-request'],
    ['nested too deep', `{"text":"a","state":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 413, 'too-large'],
    ['nested too deep in objects', `{"text":"a","state":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`, 413, 'too-large'],
    ['a great many wrong messages', `{"messages":[${Array(200_000).fill('0').join(',')}]}`, 413, 'too-large'],
    ['nothing but a byte order mark', '\u{feff}', 400, 'invalid-request'],
  ])('is a body that is %s', async (_, body, status, code) => {
    const { server, stub } = await serve();
    expect(await server.ask('POST', '/runs', { body })).toMatchObject({ status, body: { code } });
    expect(stub.called).toEqual([]);
  });

  it('is a body of another type, or a compressed one', async () => {
    const { server, stub } = await serve();
    for (const headers of [{ 'content-type': 'text/plain' }, { 'content-encoding': 'gzip' }]) {
      expect(await server.ask('POST', '/runs', { body: '{"text":"a"}', headers })).toMatchObject({
        status: 415,
        body: { code: 'invalid-request', title: 'Unsupported Media Type' },
      });
    }
    expect(stub.called).toEqual([]);
  });

  it('is a body that is too long, of which the rest is not read', async () => {
    const { server, stub } = await serve({}, { limits: { maxBodyBytes: 1024 } });
    const { port } = new URL(server.url(''));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      'POST /v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    socket.write(`${(2000).toString(16)}\r\n${' '.repeat(2000)}\r\n`);
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await once(socket, 'close');
    expect(said).toMatch(/^HTTP\/1\.1 413 /);
    expect(said.toLowerCase()).toContain('connection: close');
    expect(said).toContain('"code":"too-large"');
    expect(stub.called).toEqual([]);
  });

  it('is a path that is not well encoded', async () => {
    const { server } = await serve();
    expect(await server.ask('GET', '/threads/%ff')).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  });

  it.each(['/', '/nothing', '/runs/', '/Runs', '/threads/t/nothing', '/threads//events', '/threads/a/b'])(
    'is a path where nothing is: %s',
    async (path) => {
      const { server, stub } = await serve();
      expect(await server.ask('GET', path)).toMatchObject({ status: 404, body: { code: 'not-found' } });
      expect(stub.called).toEqual([]);
    },
  );

  it.each([
    ['DELETE', '/runs', 'POST, GET, HEAD'],
    ['PUT', '/agents', 'GET, HEAD'],
    ['POST', '/runs/r', 'GET, HEAD'],
    ['GET', '/threads/t/cancel', 'POST'],
    ['OPTIONS', '/threads/t/input', 'GET, HEAD, PUT'],
  ])('is %s at %s, where other methods are', async (method, path, allow) => {
    const { server, stub } = await serve();
    const answer = await server.ask(method, path);
    expect(answer).toMatchObject({ status: 405, headers: { allow }, body: { code: 'unsupported', status: 405 } });
    expect(stub.called).toEqual([]);
  });
});

describe('a path parameter', () => {
  it.each(['a/b', 'ä ö', '%41', 'ag-ui:x?y#z', '日本語', '{x}', ':x'])('is any text: %s', async (id) => {
    const { server, stub } = await serve({ 'threads.find': () => undefined });
    const { status, body } = await server.ask('GET', `/threads/${encodeURIComponent(id)}`);
    expect(status).toBe(404);
    expect(body.detail).toContain(id);
    expect(stub.called[0]?.args[1]).toBe(id);
  });
});

describe('a refusal by the gateway', () => {
  it.each([
    ['not-found', 404],
    ['forbidden', 403],
    ['run-conflict', 409],
    ['revision-conflict', 409],
    ['input-taken', 409],
    ['request-conflict', 409],
    ['cursor-expired', 410],
    ['invalid-answer', 422],
    ['too-many', 429],
    ['store-failed', 503],
    ['disk-low', 507],
  ] as const)('keeps its code: %s is %i', async (code, status) => {
    const refuse = (): never => {
      throw new Fault(code, 'said so', { path: 'x.y' });
    };
    const { server } = await serve({ 'threads.patch': refuse });
    const answer = await server.ask('PATCH', '/threads/t', { body: {} });
    expect(answer).toMatchObject({
      status,
      body: { type: 'about:blank', status, code, detail: 'said so', path: 'x.y' },
    });
    expect(answer.body.retryable).toBe(new Fault(code, '').retryable);
    expect(answer.headers['retry-after']).toBe([429, 503, 507].includes(status) ? '1' : undefined);
    expect(server.logged.join('')).not.toContain('"level":50');
  });

  it('is 422 for an Idempotency-Key that was used for another body', async () => {
    const refuse = (): never => {
      throw new Fault('request-conflict', 'the request id k was used before with another body');
    };
    const { server } = await serve({ submit: refuse });
    const asked = { body: { text: 'a' }, headers: { 'idempotency-key': 'k' } };
    expect(await server.ask('POST', '/runs', asked)).toMatchObject({ status: 422, body: { code: 'request-conflict' } });
  });

  it('is withheld and logged once where nobody foresaw it', async () => {
    const { server } = await serve({
      'threads.find': () => Promise.reject(new TypeError('the password is 1234')),
    });
    const { status, text: said } = await server.ask('GET', '/threads/t');
    expect(status).toBe(500);
    expect(said).not.toContain('1234');
    expect(JSON.parse(said)).toMatchObject({ code: 'internal', retryable: true });
    expect(server.logged.filter((line) => line.includes('the password is 1234'))).toHaveLength(1);
  });

  it('is of the server where no caller is known', async () => {
    const { server, stub } = await serve({}, { tokens: [{ token: 'secret', actor: 'ann' }] });
    const answer = await server.ask('POST', '/runs', { body: { text: 'a' } });
    expect(answer).toMatchObject({
      status: 401,
      headers: { 'content-type': 'application/problem+json', 'www-authenticate': 'Bearer' },
      body: { code: 'unauthenticated', type: 'about:blank' },
    });
    expect(stub.called).toEqual([]);
  });
});

describe('what a caller is to the gateway', () => {
  it('is a person at this door, named by the token', async () => {
    const { server, stub } = await serve(
      { submit: (_: unknown, submission) => receiptFor(submission) },
      { tokens: [{ token: 'secret', scope: 'acme', actor: 'ann' }] },
    );
    await server.ask('POST', '/runs', { body: { text: 'a' }, headers: { authorization: 'Bearer secret' } });
    expect(stub.called[0]?.args[0]).toEqual({ scope: 'acme', actor: 'ann', door: 'control', origin: 'user' });
  });
});
