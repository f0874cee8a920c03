import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
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
import { answerOn, type Handshake, ignoreUpgrade, isHandshake } from './handshake.ts';
import { pages, type Readiness } from './pages.ts';
import { listen } from './listening.ts';
import { Perimeter, refuseToBeOpen } from './perimeter.ts';
import { bearerOf, Principals } from './principals.ts';
import { answerProblem } from '../problem.ts';

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
  /** What is being answered, and connections that have left HTTP. */
  readonly #open = new Set<ServerResponse | Socket>();
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
    const listening = await listen(this.#server, { host, port, settings: { host: '--host', port: '--port' } });
    this.#server.on('error', (error) => {
      this.#parts.log.error({ error }, 'a connection could not be taken');
    });
    return listening;
  }

  open(): void {
    this.#state = 'serving';
  }

  /**
   * Listens no more, has `stop` end what is being served, and resolves when all answers have ended. What is left when that
   * is done and the grace, which begins now, is over is cut off.
   */
  async close(stop: () => Promise<void>): Promise<void> {
    this.#state = 'stopping';
    const closed = once(this.#server, 'close');
    this.#server.close();
    const { clock, settings } = this.#parts;
    const grace = deferred();
    const cancelGrace = clock.at(clock.now() + settings.limits.shutdownGraceMs, grace.resolve);
    try {
      await stop();
      await Promise.race([this.#allAnswered(), grace.promise]);
    } finally {
      cancelGrace();
      this.#server.closeAllConnections();
      for (const one of this.#open) one.destroy();
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
      void this.#serve({ request, response });
    });
    server.on('upgrade', (request, socket, head) => {
      const handshake = { request, socket: socket as Socket, head };
      if (isHandshake(request) && this.#takesUpgrade(request)) this.#serveHandshake(handshake);
      else ignoreUpgrade(server, handshake);
    });
    return server;
  }

  #serveHandshake(handshake: Handshake): void {
    const { request, socket } = handshake;
    // What breaks a connection that has left HTTP is for its protocol to tell.
    socket.on('error', (error) => {
      this.#parts.log.debug({ error }, 'a connection broke');
    });
    void this.#serve({ request, response: answerOn(socket, request), handshake });
  }

  async #serve(asked: Asked): Promise<void> {
    const { request, response, handshake } = asked;
    const log = this.#parts.log.child({ requestId: this.#parts.ids.next('req') });
    const entry: RequestEntry = { method: request.method, path: '', scope: undefined, adapter: undefined };
    const open = handshake?.socket ?? response;
    this.#open.add(open);
    response.on('error', (error) => {
      log.warn({ error }, 'an answer could not be written');
    });
    const startedAtMs = this.#parts.clock.now();
    open.once('close', () => {
      this.#open.delete(open);
      const { adapter, ...fields } = entry;
      const outcome = { status: response.statusCode, durationMs: this.#parts.clock.now() - startedAtMs };
      const level = isHealth(entry.path) ? 'debug' : 'info';
      const isWhole = response.writableFinished || outcome.status === switchingProtocols;
      log[level]({ door: adapter?.name, ...fields, ...outcome }, isWhole ? 'answered' : 'cut off');
    });
    try {
      await this.#answer(asked, entry, log);
    } catch (thrown) {
      this.#refuse(thrown, asked, entry, log);
    }
  }

  async #answer({ request, response, handshake }: Asked, entry: RequestEntry, log: Logger): Promise<void> {
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
    const { adapter } = entry;
    const credentials = adapter?.recognise?.(request, url) ?? bearerOf(request.headers.authorization);
    const principal = this.#principals.recognise(credentials);
    entry.scope = principal.scope;
    if (adapter === undefined) return this.#pages(request, response);
    if (handshake === undefined) return adapter.handle({ request, response, url, principal, log });
    await adapter.upgrade?.({ ...handshake, url, principal, log });
    response.statusCode = switchingProtocols;
  }

  #refuse(thrown: unknown, { response, handshake }: Asked, { adapter }: RequestEntry, log: Logger): void {
    const fault = Fault.from(thrown);
    if (fault.code === 'internal') log.error({ error: thrown }, 'a request failed');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (handshake !== undefined) response.assignSocket(handshake.socket);
    if (fault.code === 'unauthenticated') response.setHeader('www-authenticate', 'Bearer');
    if (fault.code === 'shutting-down') response.setHeader('connection', 'close');
    if (adapter === undefined) answerProblem(fault, response);
    else adapter.refuse(fault, response);
  }

  #findAdapter(path: string): Adapter | undefined {
    return this.#doors.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))?.adapter;
  }

  #takesUpgrade(request: IncomingMessage): boolean {
    const url = findTarget(request);
    return url !== undefined && this.#findAdapter(url.pathname)?.upgrade !== undefined;
  }

  #readiness(): Readiness {
    if (this.#state !== 'serving') return this.#state;
    const { is } = this.#parts.storeHealth();
    return is === 'open' ? 'ready' : is;
  }

  async #allAnswered(): Promise<void> {
    const closes = [...this.#open].map((one) => {
      const closed = deferred();
      one.once('close', closed.resolve);
      return closed.promise;
    });
    await Promise.all(closes);
  }
}

/** A request and its answer; of a handshake, one that is only used to refuse it. */
interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly handshake?: Handshake;
}

const switchingProtocols = 101;

/** What is known of a request while it is served: for its log line, and for who refuses it. */
interface RequestEntry {
  readonly method: string | undefined;
  path: string;
  scope: Principal['scope'] | undefined;
  adapter: Adapter | undefined;
}

function isHealth(path: string): boolean {
  return path.startsWith('/health/');
}

const hostHeader = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]+)(:\d+)?$/i;

/** The whole URL that was asked for. @throws Fault `invalid-request` */
function targetOf(request: IncomingMessage): URL {
  const target = findTarget(request);
  if (target === undefined) {
    throw new Fault('invalid-request', 'the request names no host, or not in the way that HTTP does');
  }
  return target;
}

function findTarget({ url = '', headers: { host = '' } }: IncomingMessage): URL | undefined {
  const isPath = url.startsWith('/');
  const text = isPath ? `http://${host}${url}` : url;
  return (isPath && !hostHeader.test(host)) || !URL.canParse(text) ? undefined : new URL(text);
}
