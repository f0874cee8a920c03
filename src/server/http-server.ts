import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../../schemas/config.ts';
import type { Principal } from '../../schemas/id.ts';
import type { Adapter } from '../adapter.ts';
import type { Clock } from '../clock.ts';
import { deferred } from '../deferred.ts';
import { Fault } from '../fault.ts';
import type { Ids } from '../ids.ts';
import type { StoreHealth } from '../mailbox/store.ts';
import { admitOrigin, answerPreflight, isPreflight } from './cors.ts';
import { jwksPath } from './jws-keys.ts';
import { pages, type Readiness } from './pages.ts';
import { isLoopback, Perimeter } from './perimeter.ts';
import { Principals } from './principals.ts';
import { answerProblem } from './problem.ts';

type ServerSettings = Pick<
  Config,
  'host' | 'port' | 'publicUrl' | 'allowUnauthenticated' | 'tokens' | 'allowedHosts' | 'allowedOrigins' | 'limits'
>;

export interface HttpServerParts {
  readonly settings: ServerSettings;
  readonly adapters: readonly Adapter[];
  /** What the root page says. */
  readonly about: () => object;
  readonly storeHealth: () => StoreHealth;
  /** The public keys of what the gateway signs; undefined: it signs nothing. */
  readonly publicKeys?: (() => object) | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/**
 * The one port. Every request passes the same checks before anything sees it: its host and origin, then its caller; only
 * health and public keys are told to callers nobody knows.
 *
 * - `starting`: listens, and answers health alone; left by `open`
 * - `serving`: left by `close`
 * - `stopping`: listens no more; streams that are open end
 */
export class HttpServer {
  readonly #parts: HttpServerParts;
  readonly #doors: readonly { readonly prefix: string; readonly adapter: Adapter }[];
  readonly #perimeter: Perimeter;
  readonly #principals: Principals;
  readonly #pages: RequestListener;
  readonly #server: Server;
  readonly #answering = new Set<ServerResponse>();
  #state: 'starting' | 'serving' | 'stopping' = 'starting';

  /** @throws Fault `config-invalid`: others could reach it, and nobody is asked who they are */
  constructor(parts: HttpServerParts) {
    const { settings, adapters, about, publicKeys, log } = parts;
    refuseToBeOpen(settings);
    this.#parts = parts;
    this.#doors = adapters
      .flatMap((adapter) => adapter.prefixes.map((prefix) => ({ prefix, adapter })))
      .toSorted((a, b) => b.prefix.length - a.prefix.length);
    this.#perimeter = new Perimeter(settings);
    this.#principals = new Principals(settings.tokens);
    this.#pages = pages({ about, readiness: () => this.#readiness(), publicKeys, log });
    this.#server = this.#create();
  }

  /** Resolves with the port when it listens. @throws Fault with what is in the way */
  async listen(): Promise<number> {
    const { host, port } = this.#parts.settings;
    try {
      await once(this.#server.listen({ host, port }), 'listening');
    } catch (cause) {
      throw listenFault(host, port, cause as NodeJS.ErrnoException);
    }
    this.#server.on('error', (error) => {
      this.#parts.log.error({ error }, 'a connection could not be taken');
    });
    return (this.#server.address() as AddressInfo).port;
  }

  open(): void {
    this.#state = 'serving';
  }

  /**
   * Listens no more, has `stop` end what is being served, and resolves when all answers have ended. What is left at the
   * end of the grace is cut off.
   */
  async close(stop: () => Promise<void>): Promise<void> {
    this.#state = 'stopping';
    const closed = once(this.#server, 'close');
    this.#server.close();
    try {
      await stop();
      await this.#allAnswered();
    } finally {
      this.#server.closeAllConnections();
    }
    await closed;
  }

  #create(): Server {
    const { maxHeaderBytes, maxConnections, headersTimeoutMs, requestTimeoutMs, idleConnectionMs } =
      this.#parts.settings.limits;
    const server = createServer({
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleConnectionMs,
    });
    server.maxConnections = maxConnections;
    server.on('drop', () => {
      this.#parts.log.warn({ maxConnections }, 'a connection was dropped: there are too many');
    });
    server.on('request', (request, response) => {
      void this.#serve(request, response);
    });
    return server;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const log = this.#parts.log.child({ requestId: this.#parts.ids.next('req') });
    const entry: RequestEntry = { method: request.method, path: '', scope: undefined, adapter: undefined };
    this.#answering.add(response);
    response.on('error', (error) => {
      log.warn({ error }, 'an answer could not be written');
    });
    const startedAtMs = this.#parts.clock.now();
    response.once('close', () => {
      this.#answering.delete(response);
      const { adapter, ...fields } = entry;
      const outcome = { status: response.statusCode, durationMs: this.#parts.clock.now() - startedAtMs };
      const level = isHealth(entry.path) ? 'debug' : 'info';
      log[level]({ door: adapter?.name, ...fields, ...outcome }, response.writableFinished ? 'answered' : 'cut off');
    });
    try {
      await this.#answer(request, response, entry, log);
    } catch (thrown) {
      this.#refuse(thrown, response, entry, log);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, entry: RequestEntry, log: Logger): Promise<void> {
    const url = targetOf(request);
    entry.path = url.pathname;
    entry.adapter = this.#findAdapter(url.pathname);
    this.#perimeter.check(url.hostname, request.headers);
    if (request.headers.origin !== undefined) admitOrigin(request.headers.origin, response);
    if (isPreflight(request)) return answerPreflight(request, response);
    // What is routed below and what was checked above must be one and the same path.
    request.url = url.pathname + url.search;
    if (isHealth(url.pathname) || url.pathname === jwksPath) return this.#pages(request, response);
    if (this.#state !== 'serving') throw new Fault('shutting-down', `the gateway is ${this.#state}`);
    const principal = entry.adapter?.recognise?.(url) ?? this.#principals.recognise(request.headers.authorization);
    entry.scope = principal.scope;
    if (entry.adapter === undefined) return this.#pages(request, response);
    await entry.adapter.handle({ request, response, url, principal, log });
  }

  #refuse(thrown: unknown, response: ServerResponse, { adapter }: RequestEntry, log: Logger): void {
    const fault = Fault.from(thrown);
    if (fault.code === 'internal') log.error({ error: thrown }, 'a request failed');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (fault.code === 'unauthenticated') response.setHeader('www-authenticate', 'Bearer');
    if (fault.code === 'shutting-down') response.setHeader('connection', 'close');
    if (adapter === undefined) answerProblem(fault, response);
    else adapter.refuse(fault, response);
  }

  #findAdapter(path: string): Adapter | undefined {
    return this.#doors.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))?.adapter;
  }

  #readiness(): Readiness {
    if (this.#state !== 'serving') return this.#state;
    const { is } = this.#parts.storeHealth();
    return is === 'open' ? 'ready' : is;
  }

  /** Resolves when every answer has ended, and in any case at the end of the grace. */
  async #allAnswered(): Promise<void> {
    const { clock, settings } = this.#parts;
    const grace = deferred();
    const cancel = clock.at(clock.now() + settings.limits.shutdownGraceMs, grace.resolve);
    const closes = [...this.#answering].map((response) => {
      const closed = deferred();
      response.once('close', closed.resolve);
      return closed.promise;
    });
    await Promise.race([Promise.all(closes), grace.promise]);
    cancel();
  }
}

/** What is known of a request while it is served: for its log line, and for who refuses it. */
interface RequestEntry {
  readonly method: string | undefined;
  path: string;
  scope: Principal['scope'] | undefined;
  adapter: Adapter | undefined;
}

function refuseToBeOpen({ host, tokens, allowUnauthenticated }: ServerSettings): void {
  if (isLoopback(host) || tokens.length > 0 || allowUnauthenticated) return;
  const remedy = 'add tokens, or set allowUnauthenticated to let everyone in';
  throw new Fault('config-invalid', `host: others can reach ${host}, and there are no tokens; ${remedy}`, {
    path: 'host',
  });
}

function isHealth(path: string): boolean {
  return path.startsWith('/health/');
}

const hostHeader = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]+)(:\d+)?$/i;

/** The whole URL that was asked for. @throws Fault `invalid-request` */
function targetOf({ url = '', headers: { host = '' } }: IncomingMessage): URL {
  const isPath = url.startsWith('/');
  const text = isPath ? `http://${host}${url}` : url;
  if ((isPath && !hostHeader.test(host)) || !URL.canParse(text)) {
    throw new Fault('invalid-request', 'the request names no host, or not in the way that HTTP does');
  }
  return new URL(text);
}

const obstacles: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use; choose another with --port',
  EACCES: 'this user may not; choose another with --port',
  EADDRNOTAVAIL: 'this machine does not have that address; choose another with --host',
  ENOTFOUND: 'that host is not known; choose another with --host',
};

function listenFault(host: string, port: number, cause: NodeJS.ErrnoException): Fault {
  const code = cause.code ?? cause.message;
  return new Fault('internal', `cannot listen on port ${port} of ${host}: ${obstacles[code] ?? code}`, { cause });
}
