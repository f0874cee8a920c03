// A2A over HTTP: each agent has a URL of its own below /a2a, at which JSON-RPC and HTTP+JSON are both served.
// https://a2a-protocol.org/v1.0.1/specification/
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Adapter, Credentials, Exchange } from '../../src/adapter.ts';
import { exchangeSignal } from '../../src/exchange-signal.ts';
import { Fault } from '../../src/fault.ts';
import { decodeSegment } from '../../src/url-path.ts';
import type { Binding } from './binding.ts';
import type { Call } from './call.ts';
import { a2aPrefix } from './card.ts';
import { agentsIndex, cardAt, wellKnownCard } from './card-pages.ts';
import { encodeJsonRpcError, encodeRestError, report } from './faults.ts';
import { Handlers } from './handlers.ts';
import { answer, headerOf } from './http.ts';
import { serveJsonRpc } from './json-rpc.ts';
import type { A2aOptions } from './options.ts';
import { type RestDialect, serveRest } from './rest.ts';
import { restV03 } from './rest-v0-3.ts';
import { restV1 } from './rest-v1.ts';
import { requestedVersion } from './version.ts';

export function a2aAdapter(options: A2aOptions): Adapter {
  return new A2aAdapter(options);
}

class A2aAdapter implements Adapter {
  readonly name = 'A2A';
  readonly prefixes = [a2aPrefix, wellKnownCard];
  readonly #options: A2aOptions;
  readonly #handlers: Handlers;

  constructor(options: A2aOptions) {
    this.#options = options;
    this.#handlers = new Handlers(options);
  }

  get entryPoints(): Adapter['entryPoints'] {
    const agents = this.#options.gateway.agents().map(({ id }) => ({ what: `A2A ${id}`, path: pathOf(id) }));
    return [...agents, { what: 'A2A agents', path: agentsIndex }];
  }

  /** Cards are for everyone: they say what a caller needs. */
  recognise(_request: IncomingMessage, url: URL): Credentials | undefined {
    return isCard(url.pathname) ? { principal: { scope: 'public', actor: 'anyone' } } : undefined;
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    try {
      await this.#route(exchange);
    } catch (thrown) {
      // A client that leaves while it sends its body ends nothing but this exchange.
      if (request.destroyed && !request.complete) return;
      report(exchange.log, thrown);
      this.refuse(thrown, response);
    }
  }

  /** In the words of the binding that was meant: JSON-RPC has one URL, all others are of HTTP+JSON. */
  refuse(fault: unknown, response: ServerResponse): void {
    if (response.headersSent) {
      response.end();
      return;
    }
    const url = new URL(response.req.url ?? '/', 'http://localhost');
    const [, ...segments] = segmentsOf(url.pathname);
    const { http: status, body } = dialectOf(response.req, url, segments).encodeFault(fault);
    const isJsonRpc = response.req.method === 'POST' && segments.length === 0;
    const contentType = 'application/json';
    answer(response, { status, body: isJsonRpc ? encodeJsonRpcError(null, fault) : body, contentType });
  }

  async #route(exchange: Exchange): Promise<void> {
    const { pathname } = exchange.url;
    const card = cardAt(pathname);
    if (card !== undefined) {
      await this.#handlers.cards.serve(exchange, card);
      return;
    }
    const [agentId = '', ...segments] = segmentsOf(pathname);
    const binding = this.#binding(decodeSegment(agentId));
    if (segments.length === 0) {
      await this.#serveJsonRpc(exchange, binding);
      return;
    }
    const dialect = dialectOf(exchange.request, exchange.url, segments);
    const route = dialect.routeOf(segments);
    if (route === undefined) throw new Fault('agent-not-found', `nothing is served at ${pathname}`);
    await serveRest(exchange, binding, { dialect, route });
  }

  async #serveJsonRpc(exchange: Exchange, binding: Binding): Promise<void> {
    const { request, response } = exchange;
    if (request.method === 'POST') {
      await serveJsonRpc(exchange, binding);
      return;
    }
    response.setHeader('allow', 'POST');
    const { body } = encodeRestError(new Fault('unsupported', 'only POST is served here'));
    answer(response, { status: 405, body, contentType: 'application/json' });
  }

  #binding(agentId: string): Binding {
    return {
      handler: this.#handlers.get(agentId),
      clock: this.#options.clock,
      limits: this.#handlers.limits,
      open: (exchange) => this.#open(exchange),
    };
  }

  #open({ request: { headers }, response, url, principal, log }: Exchange): Disposable & { readonly call: Call } {
    const over = exchangeSignal(response, this.#options.gateway.stopping);
    const call = this.#handlers.open({ headers, url, principal, log, signal: over.signal });
    return {
      call,
      [Symbol.dispose]() {
        over[Symbol.dispose]();
      },
    };
  }
}

function isCard(pathname: string): boolean {
  try {
    return cardAt(pathname) !== undefined;
  } catch {
    return false;
  }
}

/** Below the prefix; a slash at the end says nothing. */
function segmentsOf(pathname: string): string[] {
  return pathname
    .slice(a2aPrefix.length + 1)
    .replace(/\/$/, '')
    .split('/');
}

/** Of HTTP+JSON. For who speaks 1.0, `v1` is the name of a tenant, like any other. */
function dialectOf(request: IncomingMessage, url: URL, [first]: readonly string[]): RestDialect {
  const isLegacy = first === 'v1' && requestedVersion(headerOf(request, 'a2a-version'), url) === restV03.version;
  return isLegacy ? restV03 : restV1;
}

function pathOf(agentId: string): string {
  return `${a2aPrefix}/${encodeURIComponent(agentId)}`;
}
