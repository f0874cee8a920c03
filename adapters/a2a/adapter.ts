// A2A over HTTP: each agent has a URL of its own below /a2a, at which JSON-RPC and HTTP+JSON are both served.
// https://a2a-protocol.org/v1.0.1/specification/
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { Actor } from '../../schemas/id.ts';
import type { PushFilter } from '../../schemas/subscription.ts';
import type { Adapter, Credentials, Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { exchangeSignal } from '../../src/exchange-signal.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway } from '../../src/gateway.ts';
import { traceOf } from '../../src/trace-context.ts';
import { decodeSegment } from '../../src/url-path.ts';
import type { Binding, BindingLimits } from './binding.ts';
import { Call } from './call.ts';
import { a2aPrefix, cardOf, type CardSurroundings } from './card.ts';
import type { CardSigning } from './card-signatures.ts';
import { agentsIndex, cardAt, CardPages, wellKnownCard } from './card-pages.ts';
import { Contexts, type WhenWaiting } from './contexts.ts';
import { encodeJsonRpcError, encodeRestError } from './faults.ts';
import { Handler } from './handler.ts';
import { answer, extensionsOf, headerOf } from './http.ts';
import { serveJsonRpc } from './json-rpc.ts';
import { PushConfigs } from './push-configs.ts';
import { type RestDialect, serveRest } from './rest.ts';
import { restV03 } from './rest-v0-3.ts';
import { restV1 } from './rest-v1.ts';
import type { ShownWork } from './task-fold.ts';
import { Tasks } from './tasks.ts';
import { requestedVersion } from './version.ts';

export interface A2aLimits extends BindingLimits {
  /** The longest that SendMessage waits for its task. */
  readonly maxWaitMs: number;
  /** The longest that CancelTask waits for its task to end. */
  readonly cancelWaitMs: number;
}

export interface A2aOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  /** How callers reach the gateway, without a slash at the end. */
  readonly baseUrl: () => string;
  /** Whether callers need a token: then cards say so, and there is an extended card. */
  readonly needsToken?: boolean;
  readonly limits?: Partial<A2aLimits>;
  /** What a message for a new task does where its context runs; `queue` if not given. */
  readonly whenBusy?: WhenBusy;
  /** What it does where its context waits for a person; `fork` if not given. */
  readonly whenWaiting?: WhenWaiting;
  /** Whether callers answer for themselves or for a person; `agent` if not given, and then some questions are not theirs. */
  readonly callerIs?: 'agent' | 'person';
  /** Actors behind whom there is a person in any case. */
  readonly persons?: readonly Actor[];
  /** What callers' webhooks are told; none are taken if not given. The gateway needs a `TaskPusher` for it. */
  readonly push?: PushFilter;
  /** What of the work is told as status messages. */
  readonly show?: readonly ShownWork[];
  readonly cardMaxAgeS?: number;
  /** By what cards are signed; they are not if not given. */
  readonly signing?: CardSigning | undefined;
}

const defaultLimits: A2aLimits = {
  maxBodyBytes: 10 * 1024 * 1024,
  keepAliveMs: 15_000,
  maxBufferedChars: 64 * 1024,
  slowViewerMs: 30_000,
  maxWaitMs: 60_000,
  cancelWaitMs: 6000,
};

export function a2aAdapter(options: A2aOptions): Adapter {
  return new A2aAdapter(options);
}

class A2aAdapter implements Adapter {
  readonly name = 'A2A';
  readonly prefixes = [a2aPrefix, wellKnownCard];
  readonly #options: A2aOptions;
  readonly #limits: A2aLimits;
  readonly #cards: CardPages;
  readonly #bindings = new Map<string, Binding>();

  constructor(options: A2aOptions) {
    const { gateway, clock, cardMaxAgeS: maxAgeS = 3600, signing } = options;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#cards = new CardPages({ gateway, clock, maxAgeS, signing, surroundings: () => this.#surroundings() });
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
      this.#report(exchange, thrown);
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
      await this.#cards.serve(exchange, card);
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
    const known = this.#bindings.get(agentId);
    if (known !== undefined) return known;
    const {
      gateway,
      clock,
      whenBusy = 'queue',
      whenWaiting = 'fork',
      show = ['tools', 'plans', 'steps'],
    } = this.#options;
    const agent = gateway.findAgent(agentId);
    if (agent === undefined) throw new Fault('agent-not-found', `no agent has the id ${JSON.stringify(agentId)}`);
    const { maxWaitMs, cancelWaitMs } = this.#limits;
    const tasks = new Tasks({ gateway, agentId, shown: new Set(show) });
    const handler = new Handler({
      gateway,
      clock,
      agent,
      tasks,
      push: new PushConfigs({ gateway, tasks, events: this.#options.push }),
      contexts: new Contexts({ gateway, agentId, whenWaiting }),
      card: () => cardOf(agent, this.#surroundings()),
      extendedCard: (version) => this.#cards.extended(agent, version),
      whenBusy,
      maxWaitMs,
      cancelWaitMs,
    });
    const binding: Binding = {
      handler,
      clock,
      limits: this.#limits,
      open: (exchange) => this.#open(exchange),
      report: (exchange, thrown) => {
        this.#report(exchange, thrown);
      },
    };
    this.#bindings.set(agentId, binding);
    return binding;
  }

  #open({ request, response, url, principal, log }: Exchange): Disposable & { readonly call: Call } {
    const { gateway, callerIs = 'agent', persons = [] } = this.#options;
    const over = exchangeSignal(response, gateway.stopping);
    const isPerson = callerIs === 'person' || persons.includes(principal.actor);
    const call = new Call({
      principal,
      origin: isPerson ? 'user' : 'agent',
      requestedVersion: requestedVersion(headerOf(request, 'a2a-version'), url),
      requestedExtensions: extensionsOf(request),
      lastEventId: headerOf(request, 'last-event-id'),
      idempotencyKey: headerOf(request, 'idempotency-key'),
      trace: traceOf(request),
      signal: over.signal,
      log,
    });
    return {
      call,
      [Symbol.dispose]() {
        over[Symbol.dispose]();
      },
    };
  }

  #report({ log }: Exchange, thrown: unknown): void {
    const fault = Fault.from(thrown);
    const isOurs = !(thrown instanceof Error) || !('reason' in thrown);
    if (fault.code === 'internal' && isOurs) log.error({ cause: fault.cause ?? fault }, 'an A2A request failed');
  }

  #surroundings(): CardSurroundings {
    const { baseUrl, needsToken = false, push } = this.#options;
    return { baseUrl: baseUrl(), needsToken, pushes: push !== undefined };
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
