// AG-UI over HTTP and SSE. The protocol fixes no path; capabilities are served where clients look for them.
// https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ThreadId } from '../../schemas/id.ts';
import type { Adapter, Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway } from '../../src/gateway.ts';
import { isJson, readJson } from '../../src/json-body.ts';
import { traceOf } from '../../src/trace-context.ts';
import { encodeCapabilities } from './capabilities.ts';
import { type Decoded, decodeInput } from './decode.ts';
import { encodeProblem } from './faults.ts';
import { Field } from './field.ts';
import { chooseProfile } from './profile.ts';
import { decide } from './resume.ts';
import { type Accepted, type OnDisconnect, type SlowViewers, type StreamLimits, Streams } from './streams.ts';

export interface AgUiLimits extends StreamLimits {
  readonly maxBodyBytes: number;
}

export interface AgUiOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly limits?: Partial<AgUiLimits>;
  /** What a request does when its thread is busy; `queue` if not given. */
  readonly whenBusy?: WhenBusy;
  /** `detach` if not given: a client that leaves ends nothing. */
  readonly onDisconnect?: OnDisconnect;
  /** `snapshot` if not given. */
  readonly slowViewers?: SlowViewers;
}

const defaultLimits: AgUiLimits = {
  maxBodyBytes: 10 * 1024 * 1024,
  keepAliveMs: 15_000,
  maxBufferedChars: 64 * 1024,
  maxFrameChars: 10 * 1024 * 1024,
  maxInlineChars: 6 * 1024 * 1024,
  slowViewerMs: 30_000,
};

const prefix = '/ag-ui';

export function agUiAdapter(options: AgUiOptions): Adapter {
  return new AgUiAdapter(options);
}

class AgUiAdapter implements Adapter {
  readonly name = 'AG-UI';
  readonly prefixes = [prefix];
  readonly #options: AgUiOptions;
  readonly #limits: AgUiLimits;
  readonly #streams: Streams;

  constructor(options: AgUiOptions) {
    const { gateway, clock, onDisconnect = { is: 'detach' }, slowViewers = 'snapshot' } = options;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#streams = new Streams({ gateway, clock, limits: this.#limits, onDisconnect, slowViewers });
  }

  get entryPoints(): Adapter['entryPoints'] {
    return this.#options.gateway.agents().map(({ id }) => ({ what: `AG-UI ${id}`, path: pathOf(id) }));
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    try {
      await this.#route(exchange);
    } catch (thrown) {
      // A client that leaves while it sends its body ends nothing but this exchange.
      if (request.destroyed && !request.complete) return;
      const fault = Fault.from(thrown);
      if (fault.code === 'internal') exchange.log.error({ cause: fault.cause ?? fault }, 'an AG-UI request failed');
      refuse(fault, response);
    }
  }

  refuse(fault: unknown, response: ServerResponse): void {
    refuse(Fault.from(fault), response);
  }

  async #route(exchange: Exchange): Promise<void> {
    const { pathname } = exchange.url;
    const [agentId = '', resource, ...rest] = segmentsOf(pathname);
    if (agentId === 'threads' && resource !== undefined && rest.length === 1) {
      await this.#routeThread(exchange, resource, rest[0]);
      return;
    }
    if (agentId === '' || rest.length > 0) throw nothingAt(pathname);
    switch (resource) {
      case undefined:
        if (allowMethod(exchange, 'POST')) await this.#run(exchange, this.#agent(agentId));
        return;
      case 'capabilities':
        if (allowMethod(exchange, 'GET')) answerJson(exchange.response, 200, encodeCapabilities(this.#agent(agentId)));
        return;
      default:
        throw nothingAt(pathname);
    }
  }

  async #routeThread(exchange: Exchange, threadId: ThreadId, resource: string | undefined): Promise<void> {
    switch (resource) {
      case 'stream':
        if (allowMethod(exchange, 'GET')) await this.#look(exchange, threadId);
        return;
      case 'cancel':
        if (allowMethod(exchange, 'POST')) await this.#cancel(exchange, threadId);
        return;
      default:
        throw nothingAt(exchange.url.pathname);
    }
  }

  /** Goes on with a stream where a frame id is given, and joins the thread where none is. */
  async #look(exchange: Exchange, threadId: ThreadId): Promise<void> {
    const { request, url } = exchange;
    const cursor = lastEventId(request) ?? url.searchParams.get('after');
    if (cursor !== null) {
      await this.#streams.resume(exchange, threadId, cursor);
      return;
    }
    const version = new Field(url.searchParams.get('protocolVersion') ?? undefined, [], undefined, 'protocolVersion');
    await this.#streams.join(exchange, threadId, chooseProfile(version));
  }

  /** Ends one request of this caller's, or all that it brought in on the thread. */
  async #cancel(exchange: Exchange, threadId: ThreadId): Promise<void> {
    const { url, principal, response } = exchange;
    const caller = { ...principal, door: 'ag-ui', origin: 'user' } as const;
    const { threads, runs } = this.#options.gateway;
    const runId = url.searchParams.get('runId');
    const report =
      runId === null
        ? await threads.cancel(caller, threadId)
        : await runs.cancelActivation(caller, threadId, `ag-ui:${runId}`);
    answerJson(response, 200, report);
  }

  #agent(id: string): AgentCard {
    const card = this.#options.gateway.findAgent(id);
    if (card === undefined) throw new Fault('agent-not-found', `no agent has the id ${JSON.stringify(id)}`);
    return card;
  }

  async #run(exchange: Exchange, agent: AgentCard): Promise<void> {
    if (isJson(exchange.request.headers['content-type'])) {
      await this.#streams.answer(exchange, await this.#accept(exchange, agent));
    } else {
      refuse(new Fault('invalid-request', 'the body must be application/json'), exchange.response, 415);
    }
  }

  /** What it returns is small: a stream may last for days, and the client's copy of the conversation is not kept for it. */
  async #accept(exchange: Exchange, agent: AgentCard): Promise<Accepted> {
    const { request, principal, log } = exchange;
    const { gateway, whenBusy = 'queue' } = this.#options;
    const body = await readJson(request, this.#limits.maxBodyBytes);
    const decoded = decodeInput(body, { agentId: agent.id, whenBusy });
    const { threadId } = decoded.submission;
    const answers = await decide(decoded, (id) => gateway.findTicket(principal, threadId, id));
    await this.#stopAbandoned(exchange, decoded);
    const trace = traceOf(request);
    const receipt = await gateway.submit(principal, { ...decoded.submission, decisions: answers.decisions, trace });
    const warnings = [...decoded.warnings, ...answers.warnings, ...receipt.activation.warnings];
    if (warnings.length > 0) log.warn({ activation: receipt.activation.id, warnings }, 'set aside in an AG-UI request');
    const { parentRunId, copy, profile } = decoded;
    return { threadId, receipt, parentRunId, copy, profile };
  }

  /** A run that everybody has left is stopped by its own actor's next words: how stock clients stop one is by leaving it. */
  async #stopAbandoned({ principal }: Exchange, { submission, resume }: Decoded): Promise<void> {
    const { viewers } = this.#streams;
    const { threadId, key, messages } = submission;
    if (!viewers.someAreAbandoned || resume.length > 0 || messages.at(-1)?.role !== 'user') return;
    const { gateway } = this.#options;
    const { threads, runs } = gateway;
    const runId = (await threads.find(principal, threadId))?.open?.runId;
    if (runId === undefined || !viewers.isAbandoned(runId)) return;
    const isRepeated = (await gateway.findActivation(principal, threadId, `ag-ui:${key}`)) !== undefined;
    const run = (await runs.find(principal, runId))?.run;
    if (isRepeated || run?.actor !== principal.actor) return;
    await runs.cancel({ ...principal, door: 'ag-ui', origin: 'user' }, runId);
  }
}

function pathOf(agentId: string): string {
  return `${prefix}/${encodeURIComponent(agentId)}`;
}

function segmentsOf(pathname: string): string[] {
  return pathname
    .slice(prefix.length + 1)
    .split('/')
    .map(decodeSegment);
}

function nothingAt(pathname: string): Fault {
  return new Fault('not-found', `nothing is served at ${pathname}`);
}

function lastEventId({ headers }: IncomingMessage): string | null {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : null;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new Fault('invalid-request', 'the path is not well encoded', { cause });
  }
}

/** Answers every other method itself. */
function allowMethod({ request, response }: Exchange, method: 'GET' | 'POST'): boolean {
  if (request.method === method) return true;
  response.setHeader('allow', method);
  refuse(new Fault('unsupported', `only ${method} is served here`), response, 405);
  return false;
}

function refuse(fault: Fault, response: ServerResponse, status?: number): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  const problem = encodeProblem(fault, status);
  if (problem.status === 429 || problem.status === 503) response.setHeader('retry-after', '1');
  // Part of a body that was not read to its end would be taken for the next request.
  if (problem.status === 413) response.setHeader('connection', 'close');
  answerJson(response, problem.status, problem);
}

/** Stock clients read a problem only from `application/json`. */
function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
