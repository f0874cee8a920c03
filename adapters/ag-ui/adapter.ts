// AG-UI over HTTP and SSE. The protocol fixes no path; capabilities are served where clients look for them.
// https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import type { ServerResponse } from 'node:http';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ThreadId } from '../../schemas/id.ts';
import type { Adapter, Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { exchangeSignal } from '../../src/exchange-signal.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway, Receipt } from '../../src/gateway.ts';
import { isJson, readJson } from '../../src/json-body.ts';
import { EventStream } from '../../src/sse.ts';
import { traceOf } from '../../src/trace-context.ts';
import { encodeCapabilities } from './capabilities.ts';
import { type Decoded, decodeInput } from './decode.ts';
import { RunEncoder } from './encode.ts';
import { encodeProblem } from './faults.ts';
import { decide } from './resume.ts';
import { writeBlocked, writeRun } from './run-stream.ts';

export interface AgUiLimits {
  readonly maxBodyBytes: number;
  /** Silence after which a comment is written. */
  readonly keepAliveMs: number;
  /** Frames that may gather for one client before they are flushed. */
  readonly maxBufferedChars: number;
  /** Clients fail at a longer frame. */
  readonly maxFrameChars: number;
  /** Media that one event may carry itself; the rest are handles. */
  readonly maxInlineChars: number;
}

export interface AgUiOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly limits?: Partial<AgUiLimits>;
  /** What a request does when its thread is busy; `queue` if not given. */
  readonly whenBusy?: WhenBusy;
}

const defaultLimits: AgUiLimits = {
  maxBodyBytes: 10 * 1024 * 1024,
  keepAliveMs: 15_000,
  maxBufferedChars: 64 * 1024,
  maxFrameChars: 10 * 1024 * 1024,
  maxInlineChars: 6 * 1024 * 1024,
};

const prefix = '/ag-ui';

interface Accepted {
  readonly threadId: ThreadId;
  readonly receipt: Receipt;
  readonly encoder: RunEncoder;
}

export function agUiAdapter(options: AgUiOptions): Adapter {
  return new AgUiAdapter(options);
}

class AgUiAdapter implements Adapter {
  readonly name = 'AG-UI';
  readonly prefixes = [prefix];
  readonly #options: AgUiOptions;
  readonly #limits: AgUiLimits;

  constructor(options: AgUiOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
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
    const { agentId, resource } = parsePath(exchange.url.pathname);
    switch (resource) {
      case undefined:
        if (allowMethod(exchange, 'POST')) await this.#run(exchange, this.#agent(agentId));
        return;
      case 'capabilities':
        if (allowMethod(exchange, 'GET')) answerJson(exchange.response, 200, encodeCapabilities(this.#agent(agentId)));
        return;
      default:
        throw new Fault('not-found', `nothing is served at ${exchange.url.pathname}`);
    }
  }

  #agent(id: string): AgentCard {
    const card = this.#options.gateway.findAgent(id);
    if (card === undefined) throw new Fault('agent-not-found', `no agent has the id ${JSON.stringify(id)}`);
    return card;
  }

  async #run(exchange: Exchange, agent: AgentCard): Promise<void> {
    if (isJson(exchange.request.headers['content-type'])) {
      await this.#stream(exchange, await this.#accept(exchange, agent));
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
    const trace = traceOf(request);
    const receipt = await gateway.submit(principal, { ...decoded.submission, decisions: answers.decisions, trace });
    const warnings = [...decoded.warnings, ...answers.warnings, ...receipt.activation.warnings];
    if (warnings.length > 0) log.warn({ activation: receipt.activation.id, warnings }, 'set aside in an AG-UI request');
    return { threadId, receipt, encoder: this.#encoder(decoded, receipt, log) };
  }

  /** From here on nothing is refused: whatever goes wrong ends the stream in its own words. */
  async #stream({ response, principal, log }: Exchange, { threadId, receipt, encoder }: Accepted): Promise<void> {
    const { gateway, clock } = this.#options;
    const { keepAliveMs, maxBufferedChars, maxInlineChars } = this.#limits;
    const { activation } = receipt;
    const { afterSeq } = activation;
    using over = exchangeSignal(response, gateway.stopping);
    const { signal } = over;
    const stream = new EventStream(response, { clock, keepAliveMs, maxBufferedChars, signal });
    try {
      stream.add(encoder.prelude());
      await stream.flush();
      const source = { gateway, principal, threadId, afterSeq, encoder, signal, maxInlineChars };
      const [blockedBy] = receipt.became === 'blocked' ? receipt.blockedBy : [];
      if (activation.state.is === 'retracted') stream.add(encoder.encodeRetracted());
      else if (blockedBy !== undefined) await writeBlocked(source, blockedBy, stream);
      else await writeRun(source, stream);
      if (!encoder.hasEnded) stream.add(encoder.encodeFault(detached()));
    } catch (thrown) {
      const fault = gateway.stopping.aborted ? detached() : Fault.from(thrown);
      if (fault.code === 'internal' && !response.destroyed) {
        log.error({ activation: activation.id, cause: fault.cause ?? fault }, 'an AG-UI stream failed');
      }
      if (!encoder.hasEnded) stream.add(encoder.encodeFault(fault));
    } finally {
      stream.end();
    }
  }

  #encoder({ submission, parentRunId, copy, profile }: Decoded, receipt: Receipt, log: Exchange['log']): RunEncoder {
    const { activation, runId: run } = receipt;
    const reported = new Set<string>();
    return new RunEncoder({
      activation: activation.id,
      logId: activation.logId,
      threadId: submission.threadId,
      runId: submission.key,
      parentRunId,
      run: activation.state.is === 'pending' ? undefined : run,
      isTaken: activation.state.is === 'attached' || activation.state.is === 'answered',
      afterSeq: activation.afterSeq,
      copy,
      profile,
      maxFrameChars: this.#limits.maxFrameChars,
      lost(what) {
        if (reported.has(what)) return;
        reported.add(what);
        log.warn({ activation: activation.id, profile: profile.name, what }, 'not said to an older AG-UI client');
      },
    });
  }
}

/** The run goes on; this stream does not. */
function detached(): Fault {
  return new Fault('shutting-down', 'the gateway is stopping; the run is not finished');
}

function pathOf(agentId: string): string {
  return `${prefix}/${encodeURIComponent(agentId)}`;
}

function parsePath(pathname: string): { readonly agentId: string; readonly resource: string | undefined } {
  const [agentId = '', resource, ...rest] = pathname
    .slice(prefix.length + 1)
    .split('/')
    .map(decodeSegment);
  if (agentId === '' || rest.length > 0) throw new Fault('not-found', `nothing is served at ${pathname}`);
  return { agentId, resource };
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
