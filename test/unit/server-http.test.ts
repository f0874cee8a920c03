import { once } from 'node:events';
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Config, type ConfigInput } from '../../schemas/config.ts';
import type { Adapter, Exchange } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import type { StoreHealth } from '../../src/mailbox/store.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { createLog } from '../../src/server/log.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** A server at a free port, with an adapter that keeps what it is handed. */
class Served {
  readonly seen: Exchange[] = [];
  readonly logged: string[] = [];
  readonly server: HttpServer;
  health: StoreHealth = { is: 'open' };
  answer: (exchange: Exchange) => void | Promise<void> = ({ response }) => {
    response.end('handled');
  };
  port = 0;

  constructor(config: ConfigInput, prefixes: readonly (readonly string[])[]) {
    const settings = Config.parse({ port: 0, ...config });
    this.server = new HttpServer({
      settings,
      adapters: prefixes.map((some) => this.#adapter(some)),
      about: () => ({ name: 'anyport' }),
      storeHealth: () => this.health,
      clock: systemClock,
      ids: new TimeOrderedIds(),
      log: createLog({ level: 'debug', pretty: false }, { write: (line) => this.logged.push(line) }),
    });
  }

  #adapter(prefixes: readonly string[]): Adapter {
    return {
      name: prefixes.join(' '),
      prefixes,
      entryPoints: [],
      handle: async (exchange) => {
        this.seen.push(exchange);
        exchange.response.setHeader('x-adapter', prefixes.join(' '));
        await this.answer(exchange);
      },
      refuse(fault, response) {
        response.statusCode = 418;
        response.end(`refused: ${Fault.from(fault).code}`);
      },
    };
  }

  async get(path: string, { method = 'GET', headers = {} }: Asked = {}): Promise<Answer> {
    const request = httpRequest({ port: this.port, host: '127.0.0.1', path, method, headers, agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
  }

  close(): Promise<void> {
    return this.server.close(() => Promise.resolve());
  }
}

const open: Served[] = [];

async function serve(config: ConfigInput = {}, ...prefixes: (readonly string[])[]): Promise<Served> {
  const served = new Served(config, prefixes.length === 0 ? [['/stub']] : prefixes);
  served.port = await served.server.listen();
  served.server.open();
  open.push(served);
  return served;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((served) => served.close()));
});

const tokens = [
  { token: 'ann-token', scope: 'acme', actor: 'ann' },
  { token: 'bob-token', actor: 'bob' },
];

describe('what an adapter is handed', () => {
  it('is the exchange with its caller and whole URL', async () => {
    const served = await serve();
    expect(await served.get('/stub/agent?x=1')).toMatchObject({ status: 200, body: 'handled' });
    expect(served.seen[0]?.principal).toEqual({ scope: 'local', actor: 'local' });
    expect(served.seen[0]?.url.href).toBe(`http://127.0.0.1:${served.port}/stub/agent?x=1`);
  });

  it('is the scope and actor of its token', async () => {
    const served = await serve({ tokens });
    await served.get('/stub', { headers: { authorization: 'Bearer ann-token' } });
    await served.get('/stub', { headers: { authorization: 'Bearer bob-token' } });
    expect(served.seen.map(({ principal }) => principal)).toEqual([
      { scope: 'acme', actor: 'ann' },
      { scope: 'local', actor: 'bob' },
    ]);
  });

  it.each([
    ['/stub', '/stub'],
    ['/stub/', '/stub'],
    ['/stub/deep', '/stub/deep /other'],
    ['/stub/deep/er', '/stub/deep /other'],
    ['/other?q', '/stub/deep /other'],
    ['/a/../stub', '/stub'],
  ])('is what its prefix is the longest of: %s', async (path, name) => {
    const served = await serve({}, ['/stub'], ['/stub/deep', '/other']);
    expect((await served.get(path)).headers['x-adapter']).toBe(name);
  });

  it.each(['/stubborn', '/Stub', '//stub', '/nothing'])('is not %s', async (path) => {
    const served = await serve();
    const answer = await served.get(path);
    expect(answer).toMatchObject({ status: 404, headers: { 'content-type': 'application/problem+json' } });
    expect(JSON.parse(answer.body)).toMatchObject({ status: 404, code: 'not-found' });
    expect(served.seen).toEqual([]);
  });
});

describe('what no adapter sees', () => {
  const wrong: [string, ConfigInput, Asked, string, number][] = [
    ['a caller without a token', { tokens }, {}, 'unauthenticated', 401],
    ['an unknown token', { tokens }, { headers: { authorization: 'Bearer x' } }, 'unauthenticated', 401],
    ['another host', {}, { headers: { host: 'evil.example' } }, 'forbidden', 403],
    ['a page from elsewhere', {}, { headers: { origin: 'https://evil.example' } }, 'forbidden', 403],
    ['a page without an origin of its own', {}, { headers: { origin: 'null' } }, 'forbidden', 403],
    ['a preflight from elsewhere', {}, preflight('https://evil.example'), 'forbidden', 403],
  ];

  it.each(wrong)('is %s, refused in the protocol’s own way', async (_, config, asked, code) => {
    const served = await serve(config);
    expect(await served.get('/stub/agent', asked)).toMatchObject({ status: 418, body: `refused: ${code}` });
    expect(served.seen).toEqual([]);
  });

  it.each(wrong)('is %s, a problem where no adapter is', async (_, config, asked, code, status) => {
    const served = await serve(config);
    const answer = await served.get('/', asked);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ code, status });
  });

  it.each(['localhost/health/live?', 'localhost/stub', 'a@localhost', 'localhost:80:80', 'local host'])(
    'is the host %j, which is none',
    async (host) => {
      const served = await serve({ tokens });
      expect((await served.get('/', { headers: { host } })).status).toBe(400);
      expect(served.seen).toEqual([]);
    },
  );

  it('is another path than the one that was checked', async () => {
    const served = await serve({ tokens });
    expect((await served.get('http://localhost/health/live')).status).toBe(200);
    expect((await served.get('http://localhost/health/../stub')).body).toBe('refused: unauthenticated');
    expect((await served.get('http://evil.example/health/live')).status).toBe(403);
    expect((await served.get('//health/live')).status).toBe(401);
  });

  it('says which token is needed', async () => {
    const served = await serve({ tokens });
    expect((await served.get('/stub')).headers['www-authenticate']).toBe('Bearer');
  });

  it('is told nothing of what went wrong inside', async () => {
    const served = await serve();
    served.answer = () => Promise.reject(new TypeError('the password is 1234'));
    expect((await served.get('/stub')).body).toBe('refused: internal');
    expect(served.logged.join('')).toContain('the password is 1234');
  });
});

describe('what a browser is told', () => {
  it('may be read by the page that asked', async () => {
    const served = await serve({ allowedOrigins: ['https://app.example.com'] });
    for (const origin of ['https://app.example.com', 'http://localhost:3000']) {
      const { headers } = await served.get('/stub', { headers: { origin } });
      expect(headers).toMatchObject({ 'access-control-allow-origin': origin, vary: 'origin' });
    }
    expect((await served.get('/stub')).headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('is what it may ask, before it shows its token', async () => {
    const served = await serve({ tokens });
    const answer = await served.get('/stub/agent', preflight('http://localhost:3000'));
    expect(answer).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': 'http://localhost:3000',
        'access-control-allow-headers': 'authorization,content-type',
        'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      },
    });
    expect(served.seen).toEqual([]);
  });

  it('lets it name its requests, go on with a stream, and read what an answer’s head says', async () => {
    const served = await serve();
    const asked = preflight('http://localhost:3000');
    const names = 'authorization,content-type,idempotency-key,last-event-id';
    const headers = { ...asked.headers, 'access-control-request-headers': names };
    const allowed = await served.get('/stub', { ...asked, headers });
    expect(allowed.headers['access-control-allow-headers']).toBe(names);
    const answer = await served.get('/stub', { headers: { origin: 'http://localhost:3000' } });
    const exposed = answer.headers['access-control-expose-headers']?.split(', ');
    expect(exposed).toEqual(expect.arrayContaining(['Location', 'Idempotency-Replayed', 'Retry-After']));
  });

  it('includes the refusal of its token', async () => {
    const served = await serve({ tokens });
    const { headers } = await served.get('/stub', { headers: { origin: 'http://localhost:3000' } });
    expect(headers['access-control-allow-origin']).toBe('http://localhost:3000');
  });
});

describe('health', () => {
  it('is told to callers nobody knows, and nothing else is', async () => {
    const served = await serve({ tokens });
    expect((await served.get('/health/live')).body).toBe('{"status":"live"}');
    expect(await served.get('/health/ready')).toMatchObject({ status: 200, body: '{"status":"ready"}' });
    expect((await served.get('/')).status).toBe(401);
    expect((await served.get('/', { headers: { authorization: 'Bearer ann-token' } })).body).toBe('{"name":"anyport"}');
  });

  it('is not ready while the store only reads', async () => {
    const served = await serve();
    served.health = { is: 'read-only', why: new Fault('disk-low', '/secret/path is full') };
    expect(await served.get('/health/ready')).toMatchObject({ status: 503, body: '{"status":"read-only"}' });
    expect((await served.get('/health/live')).status).toBe(200);
  });

  it(
    'is not ready before the gateway is open, and nothing else is answered',
    { tags: 'not-ready-before-recovery' },
    async () => {
      const starting = new Served({}, [['/stub']]);
      starting.port = await starting.server.listen();
      open.push(starting);
      expect(await starting.get('/health/ready')).toMatchObject({ status: 503, body: '{"status":"starting"}' });
      expect((await starting.get('/stub')).body).toBe('refused: shutting-down');
    },
  );
});

describe('a request’s log line', () => {
  it('says what was asked and answered, and no more', async () => {
    const served = await serve({ tokens });
    await served.get('/stub/agent?token=query-secret', { headers: { authorization: 'Bearer ann-token' } });
    const line = served.logged.find((entry) => entry.includes('answered')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({
      msg: 'answered',
      door: '/stub',
      method: 'GET',
      path: '/stub/agent',
      status: 200,
      scope: 'acme',
    });
    expect(served.logged.join('')).not.toMatch(/ann-token|query-secret/);
  });

  it('leaves out what an adapter must not log', async () => {
    const served = await serve();
    served.answer = ({ log, request, response }) => {
      log.info({ headers: request.headers, body: 'a body' }, 'seen');
      response.end();
    };
    await served.get('/stub', { headers: { authorization: 'Bearer top-secret', cookie: 'a=top-secret' } });
    expect(served.logged.join('')).toContain('"msg":"seen"');
    expect(served.logged.join('')).not.toMatch(/top-secret|a body/);
  });
});

describe('a server that others can reach', () => {
  const parts = { adapters: [], about: () => ({}), storeHealth: (): StoreHealth => ({ is: 'open' }) };
  const create = (config: ConfigInput): HttpServer =>
    new HttpServer({
      ...parts,
      settings: Config.parse(config),
      clock: systemClock,
      ids: new TimeOrderedIds(),
      log: pino({ level: 'silent' }),
    });

  it('needs tokens, or to be told that it needs none', () => {
    expect(() => create({ host: '0.0.0.0' })).toThrow(
      expect.objectContaining({ code: 'config-invalid', path: 'host' }),
    );
    expect(() => create({ host: '0.0.0.0', tokens })).not.toThrow();
    expect(() => create({ host: '0.0.0.0', allowUnauthenticated: true })).not.toThrow();
    expect(() => create({ host: 'localhost' })).not.toThrow();
  });

  it('says when its port is in use', async () => {
    const { port } = await serve();
    await expect(create({ port }).listen()).rejects.toThrow(
      `cannot listen on port ${port} of 127.0.0.1: it is in use; choose another with --port`,
    );
  });
});

function preflight(origin: string): Asked {
  return {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  };
}
