import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { Config, type ConfigInput } from '../../schemas/config.ts';
import type { Adapter, Credentials, Upgrade } from '../../src/adapter.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { createLog } from '../../src/server/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

/** A server at a free port: `/deep` takes connections over, `/plain` answers requests alone. */
class Served {
  readonly clock = new ManualClock();
  readonly logged: string[] = [];
  readonly server: HttpServer;
  upgraded = deferred<Upgrade>();
  credentials: Credentials | undefined;
  /** What happens in an upgrade before the connection is taken over. */
  before: () => void = () => undefined;
  port = 0;

  constructor(config: ConfigInput) {
    this.server = new HttpServer({
      settings: Config.parse({ port: 0, ...config }),
      adapters: [this.#deep(), this.#plain('/plain')],
      about: () => ({}),
      storeHealth: () => ({ is: 'open' }),
      clock: this.clock,
      ids: new TimeOrderedIds(),
      log: createLog({ level: 'info', pretty: false }, { write: (line) => this.logged.push(line) }),
    });
  }

  #plain(prefix: string): Adapter {
    return {
      name: prefix,
      prefixes: [prefix],
      entryPoints: [],
      async handle({ request, response, url }) {
        response.end(`${request.method} ${url.pathname} ${await text(request)}`);
      },
      refuse(fault, response) {
        const { code } = Fault.from(fault);
        response.statusCode = 418;
        response.end(`refused: ${code}`);
      },
    };
  }

  #deep(): Adapter {
    return {
      ...this.#plain('/deep'),
      recognise: () => this.credentials,
      upgrade: async (upgrade) => {
        this.before();
        upgrade.socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
        upgrade.socket.resume().once('end', () => upgrade.socket.end());
        this.upgraded.resolve(upgrade);
        await Promise.resolve();
      },
    };
  }

  /** Sends a request as text, and keeps the connection. */
  async ask(...lines: string[]): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write([...lines, '', ''].join('\r\n'));
    return socket;
  }

  shakeHands(path = '/deep', ...headers: string[]): Promise<Socket> {
    return this.ask(
      `GET ${path} HTTP/1.1`,
      ...handshake,
      ...(headers.some(isHost) ? [] : ['host: localhost']),
      ...headers,
    );
  }

  get entries(): object[] {
    return this.logged.map((line) => JSON.parse(line) as object);
  }
}

const handshake = ['connection: keep-alive, Upgrade', 'upgrade: WebSocket'];

function isHost(header: string): boolean {
  return header.startsWith('host:');
}

const open: Served[] = [];

async function serve(config: ConfigInput = {}): Promise<Served> {
  const served = new Served(config);
  served.port = await served.server.listen();
  served.server.open();
  open.push(served);
  return served;
}

afterEach(async () => {
  await Promise.all(
    open.splice(0).map(async ({ server, clock }) => {
      const closed = server.close(() => Promise.resolve());
      await clock.advance(20_000);
      await closed;
    }),
  );
});

const tokens = [{ token: 'ann-token', scope: 'acme', actor: 'ann' }];

describe('a handshake', () => {
  it('is handed to the adapter with its caller, its URL and what came behind it', async () => {
    const served = await serve({ tokens });
    const socket = await served.ask(
      'GET /deep/er?x=1 HTTP/1.1',
      ...handshake,
      'host: localhost',
      'authorization: Bearer ann-token',
      '',
      'hello',
    );
    const { principal, url, head } = await served.upgraded.promise;
    expect(principal).toEqual({ scope: 'acme', actor: 'ann' });
    expect(url.href).toBe('http://localhost/deep/er?x=1');
    expect(head.toString()).toMatch(/^hello/);
    socket.destroy();
  });

  it.each([
    ['a token', { token: 'ann-token' }, { scope: 'acme', actor: 'ann' }],
    ['a caller', { principal: { scope: 'b', actor: 'c' } }, { scope: 'b', actor: 'c' }],
  ])('speaks for its caller with %s that the protocol carries elsewhere', async (_, credentials, principal) => {
    const served = await serve({ tokens });
    served.credentials = credentials;
    const socket = await served.shakeHands();
    expect((await served.upgraded.promise).principal).toEqual(principal);
    socket.destroy();
  });

  it('is logged once, when its connection ends, with how long it lasted', async () => {
    const served = await serve();
    const socket = await served.shakeHands('/deep?ticket=secret');
    await served.upgraded.promise;
    await served.clock.advance(5000);
    expect(served.logged).toEqual([]);
    socket.destroy();
    await until('the log entry', () => served.logged.length > 0);
    expect(served.entries).toEqual([
      expect.objectContaining({
        msg: 'answered',
        door: '/deep',
        path: '/deep',
        status: 101,
        durationMs: 5000,
        scope: 'local',
      }),
    ]);
  });
});

describe('a handshake that is refused', () => {
  const local = 'origin: http://localhost:3000';
  const wrong: [string, string[], string][] = [
    ['of a page from elsewhere', ['origin: https://evil.example', 'authorization: Bearer ann-token'], 'forbidden'],
    ['to another host', ['host: evil.example', 'authorization: Bearer ann-token'], 'forbidden'],
    ['without a token', [local], 'unauthenticated'],
    ['with a token that nobody has', [local, 'authorization: Bearer bob-token'], 'unauthenticated'],
  ];

  it.each(wrong)('%s, is told so in the protocol’s way, and its connection ends', async (_, headers, code) => {
    const served = await serve({ tokens });
    let took = false;
    served.before = () => {
      took = true;
    };
    const socket = await served.shakeHands('/deep', ...headers);
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 418 /);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(answer.split('\r\n\r\n')[1]).toBe(`refused: ${code}`);
    expect(took).toBe(false);
    await until('the log entry', () => served.logged.length > 0);
    expect(served.entries).toEqual([expect.objectContaining({ msg: 'answered', status: 418 })]);
  });

  it('says which token is needed', async () => {
    const served = await serve({ tokens });
    expect(await text(await served.shakeHands())).toMatch(/\r\nwww-authenticate: Bearer\r\n/i);
  });

  it('has been looked at by its adapter, which throws', async () => {
    const served = await serve();
    served.before = () => {
      throw new Fault('agent-not-found', 'no such agent');
    };
    expect(await text(await served.shakeHands())).toMatch(/refused: agent-not-found$/);
    served.before = () => {
      throw new TypeError('the password is 1234');
    };
    expect(await text(await served.shakeHands())).toMatch(/refused: internal$/);
    expect(served.logged.join('')).toContain('the password is 1234');
  });

  it('comes before the gateway is open', async () => {
    const served = new Served({});
    served.port = await served.server.listen();
    open.push(served);
    expect(await text(await served.shakeHands())).toMatch(/refused: shutting-down$/);
  });
});

describe('a request for another protocol', () => {
  const h2c = [
    'connection: Upgrade, HTTP2-Settings',
    'upgrade: h2c',
    'http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
  ];

  it.each(['content-length: 5', 'transfer-encoding: chunked'])(
    'that nobody serves is answered like any other, body and all: %s',
    async (length) => {
      const served = await serve({ tokens });
      const token = 'authorization: Bearer ann-token';
      const body = length.startsWith('content') ? 'hello' : '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n';
      const socket = await served.ask('POST /plain/a HTTP/1.1', ...h2c, 'host: localhost', token, length);
      socket.write(body);
      socket.write(`GET /plain/b HTTP/1.1\r\nhost: localhost\r\n${token}\r\nconnection: close\r\n\r\n`);
      const answer = await text(socket);
      expect(answer).toContain('POST /plain/a hello');
      expect(answer).toContain('GET /plain/b ');
    },
  );

  it.each([
    ['/plain', 'GET /plain '],
    ['/nowhere', '"status":404'],
    ['/health/live', '{"status":"live"}'],
  ])('is not served at %s', async (path, answered) => {
    const served = await serve();
    const socket = await served.ask(`GET ${path} HTTP/1.1`, ...handshake, 'host: localhost', 'connection: close');
    expect(await text(socket)).toContain(answered);
  });

  it('is not a handshake unless it is a GET for WebSocket', async () => {
    const served = await serve();
    const asked = await Promise.all([
      served.ask('GET /deep HTTP/1.1', ...h2c, 'host: localhost', 'connection: close'),
      served.ask('POST /deep HTTP/1.1', ...handshake, 'host: localhost', 'connection: close', 'content-length: 0'),
    ]);
    expect(await Promise.all(asked.map((socket) => text(socket)))).toEqual([
      expect.stringContaining('GET /deep '),
      expect.stringContaining('POST /deep '),
    ]);
  });
});

describe('a connection that has left HTTP', () => {
  it('is waited for when the server closes', async () => {
    const served = await serve();
    const socket = await served.shakeHands();
    const { socket: taken } = await served.upgraded.promise;
    let isClosed = false;
    const closed = served.server
      .close(() => Promise.resolve())
      .then(() => {
        isClosed = true;
      });
    await served.clock.advance(1000);
    expect(isClosed).toBe(false);
    taken.end('the last word');
    expect(await text(socket)).toMatch(/the last word$/);
    await closed;
  });

  it('is cut off at the end of the grace', async () => {
    const served = await serve({ limits: { shutdownGraceMs: 7000 } });
    const socket = await served.shakeHands();
    await served.upgraded.promise;
    const ended = once(socket.resume(), 'close');
    const closed = served.server.close(() => Promise.resolve());
    await served.clock.advance(7000);
    await closed;
    await ended;
  });

  it('counts as one of those that there may be', async () => {
    const served = await serve({ limits: { maxConnections: 1 } });
    const first = await served.shakeHands();
    await served.upgraded.promise;
    expect(await text(connect(served.port, '127.0.0.1')).catch(() => '')).toBe('');
    first.destroy();
    await until('the log entry', () => served.logged.some((line) => line.includes('"status":101')));
    expect(await text(await served.ask('GET /health/live HTTP/1.1', 'host: localhost', 'connection: close'))).toContain(
      'live',
    );
  });
});
