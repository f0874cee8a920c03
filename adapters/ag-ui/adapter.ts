// AG-UI over HTTP and SSE. The protocol fixes no path; capabilities are served where clients look for them.
// https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ThreadId } from '../../schemas/id.ts';
import type { Adapter, Credentials, Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway } from '../../src/gateway.ts';
import { mediaTypeOf, readJson } from '../../src/json-body.ts';
import { traceOf } from '../../src/trace-context.ts';
import { decodeSegment } from '../../src/url-path.ts';
import { encodeCapabilities } from './capabilities.ts';
import { CopilotKitRoutes } from './copilotkit.ts';
import { type Decoded, decodeInput } from './decode.ts';
import { Field } from './field.ts';
import {
  agUiPrefix,
  allowJson,
  allowMethod,
  answerJson,
  copilotKitPrefix,
  isCopilotKit,
  leavingCounts,
  nothingAt,
  refuse,
  segmentsOf,
} from './http.ts';
import type { LinkedMedia, MediaLinks } from './media-links.ts';
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
  /** For media too large for a frame; without, they are handles that mean something here alone. */
  readonly links?: MediaLinks;
}

const defaultLimits: AgUiLimits = {
  maxBodyBytes: 10 * 1024 * 1024,
  keepAliveMs: 15_000,
  maxBufferedChars: 64 * 1024,
  maxFrameChars: 10 * 1024 * 1024,
  maxInlineChars: 6 * 1024 * 1024,
  slowViewerMs: 30_000,
};

export function agUiAdapter(options: AgUiOptions): Adapter {
  return new AgUiAdapter(options);
}

class AgUiAdapter implements Adapter {
  readonly name = 'AG-UI';
  readonly prefixes = [agUiPrefix, copilotKitPrefix];
  readonly #options: AgUiOptions;
  readonly #limits: AgUiLimits;
  readonly #streams: Streams;
  readonly #copilotKit: CopilotKitRoutes;

  constructor(options: AgUiOptions) {
    const { gateway, clock, onDisconnect = { is: 'detach' }, slowViewers = 'snapshot', links } = options;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#streams = new Streams({ gateway, clock, limits: this.#limits, onDisconnect, slowViewers, links });
    this.#copilotKit = new CopilotKitRoutes({
      gateway,
      streams: this.#streams,
      limits: this.#limits,
      getAgent: (id) => this.#agent(id),
      accept: (exchange, agent, body) => this.#accept(exchange, agent, body),
    });
  }

  get entryPoints(): Adapter['entryPoints'] {
    const agents = this.#options.gateway.agents().map(({ id }) => ({ what: `AG-UI ${id}`, path: pathOf(id) }));
    return [...agents, { what: 'CopilotKit', path: copilotKitPrefix }];
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    try {
      await (isCopilotKit(exchange.url.pathname) ? this.#copilotKit.handle(exchange) : this.#route(exchange));
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
    const [agentId = '', resource, ...rest] = segmentsOf(pathname, agUiPrefix);
    if (agentId === 'threads' && resource !== undefined && rest.length > 0) {
      await this.#routeThread(exchange, resource, rest);
      return;
    }
    if (agentId === '' || rest.length > 0) throw nothingAt(pathname);
    switch (resource) {
      case undefined:
        if (allowMethod(exchange, 'POST') && allowJson(exchange)) await this.#run(exchange, this.#agent(agentId));
        return;
      case 'capabilities':
        if (allowMethod(exchange, 'GET')) answerJson(exchange.response, 200, encodeCapabilities(this.#agent(agentId)));
        return;
      default:
        throw nothingAt(pathname);
    }
  }

  async #routeThread(exchange: Exchange, threadId: ThreadId, [resource, ...rest]: readonly string[]): Promise<void> {
    if (rest.length > (resource === 'blobs' ? 1 : 0)) throw nothingAt(exchange.url.pathname);
    switch (resource) {
      case 'blobs':
        if (allowMethod(exchange, 'GET')) await this.#sendBlob(exchange);
        return;
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

  /** Whoever has a link needs no token. */
  recognise(_request: IncomingMessage, url: URL): Credentials | undefined {
    const media = this.#linked(url);
    return media === undefined ? undefined : { principal: { scope: media.thread.scope, actor: 'link' } };
  }

  #linked(url: URL): LinkedMedia | undefined {
    const [, threadId, resource, blob] = /^\/ag-ui\/threads\/([^/]+)\/(blobs)\/([0-9a-f]+)$/.exec(url.pathname) ?? [];
    if (threadId === undefined || resource === undefined || blob === undefined) return undefined;
    return this.#options.links?.find(decodeSegment(threadId), blob, url.searchParams);
  }

  /** What comes from a person or an agent is shown to browsers as nothing but what it says it is. */
  async #sendBlob({ url, principal, response }: Exchange): Promise<void> {
    const media = this.#linked(url);
    if (media === undefined) throw new Fault('not-found', 'the link is not one of this gateway’s, or has expired');
    const data = await this.#options.gateway.blob(principal, media.thread.threadId, media.blob);
    response.writeHead(200, {
      'content-type': contentTypeOf(media.mimeType),
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'cache-control': 'private, max-age=86400, immutable',
    });
    response.end(Buffer.from(data, 'base64'));
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
    await this.#streams.answer(exchange, await this.#read(exchange, agent));
  }

  async #read(exchange: Exchange, agent: AgentCard): Promise<Accepted> {
    const body = await readJson(exchange.request, this.#limits.maxBodyBytes);
    return await this.#accept(exchange, agent, body);
  }

  /** What it returns is small: a stream may last for days, and the client's copy of the conversation is not kept for it. */
  async #accept(exchange: Exchange, agent: AgentCard, body: unknown): Promise<Accepted> {
    const { request, principal, log } = exchange;
    const { gateway, whenBusy = 'queue' } = this.#options;
    const decoded = decodeInput(body, { agentId: agent.id, whenBusy });
    const { threadId } = decoded.submission;
    const answers = await decide(decoded, (id) => gateway.findTicket(principal, threadId, id));
    if (leavingCounts(exchange)) await this.#stopAbandoned(exchange, decoded);
    const trace = traceOf(request);
    const receipt = await gateway.submit(principal, { ...decoded.submission, decisions: answers.decisions, trace });
    const warnings = [...decoded.warnings, ...answers.warnings, ...receipt.activation.warnings];
    if (warnings.length > 0) log.warn({ activation: receipt.activation.id, warnings }, 'set aside in an AG-UI request');
    const { parentRunId, copy, profile } = decoded;
    // One that brings nothing may be told what is asked already.
    const mayGoOn = answers.decisions.length > 0 || receipt.activation.messageIds.length === 0;
    return { threadId, receipt, parentRunId, copy, profile, mayGoOn };
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

const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:;[\x20-\x7e]*)?$/;

/** What a client called its media, as far as a header can say it. https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1 */
function contentTypeOf(mimeType: string): string {
  return [mimeType, mediaTypeOf(mimeType)].find((type) => mediaType.test(type)) ?? 'application/octet-stream';
}

function pathOf(agentId: string): string {
  return `${agUiPrefix}/${encodeURIComponent(agentId)}`;
}

function lastEventId({ headers }: IncomingMessage): string | null {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : null;
}
