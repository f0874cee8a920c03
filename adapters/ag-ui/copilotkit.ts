// The routes of a CopilotKit runtime, so that a frontend's `runtimeUrl` may be this gateway's. They speak of AG-UI runs;
// what they mean is written nowhere but in @copilotkit/runtime 1.75.0, and in @copilotkit/core, which calls them:
// https://github.com/CopilotKit/CopilotKit/tree/main/packages/runtime/src/v2/runtime
import { EventType, PROTOCOL_VERSION } from '@ag-ui/core';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { StopReport } from '../../schemas/control.ts';
import type { AgentId, ThreadId } from '../../schemas/id.ts';
import type { Exchange } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway } from '../../src/gateway.ts';
import { hasBody, readJson } from '../../src/json-body.ts';
import { manifest } from '../../src/manifest.ts';
import { encodeCapabilities } from './capabilities.ts';
import { Field } from './field.ts';
import { allowJson, allowMethod, answerJson, copilotKitPrefix, nothingAt, segmentsOf } from './http.ts';
import { chooseProfile, type Profile, profiles } from './profile.ts';
import type { Accepted, Streams } from './streams.ts';
import type { WireEvent } from './wire.ts';

export interface CopilotKitParts {
  readonly gateway: Gateway;
  readonly streams: Streams;
  readonly limits: { readonly maxBodyBytes: number };
  /** @throws Fault `agent-not-found` */
  readonly getAgent: (id: AgentId) => AgentCard;
  /** Takes a request in. @throws Fault (nothing was written) */
  readonly accept: (exchange: Exchange, agent: AgentCard, body: unknown) => Promise<Accepted>;
}

/** What is called, in the path or in the envelope of the single-route form. */
type Call =
  | { readonly method: 'info' }
  | { readonly method: 'agent/run' | 'agent/connect'; readonly agentId: AgentId }
  | { readonly method: 'agent/stop'; readonly agentId: AgentId; readonly threadId: ThreadId };

/** Small, whatever was sent: it is held for as long as a stream lasts. */
type Reply =
  | { readonly is: 'json'; readonly body: object }
  | { readonly is: 'run'; readonly accepted: Accepted }
  | { readonly is: 'look'; readonly look: Look };

interface Look {
  readonly threadId: ThreadId;
  /** What the caller calls the look itself. */
  readonly runId: string;
  /** The frame to go on after. */
  readonly after: string | undefined;
  readonly profile: Profile;
}

/** What a runtime of theirs may offer besides, which `info` says is not here. */
const othersInPaths = new Set([
  'threads',
  'memories',
  'annotate',
  'transcribe',
  'inspector-metadata',
  'inspector-learning',
  'cpk-debug-events',
]);
const othersInEnvelopes = new Set([
  'agent/suggest',
  'inspector/metadata',
  'inspector/learning',
  'transcribe',
  'resource/request',
]);

export class CopilotKitRoutes {
  readonly #parts: CopilotKitParts;

  constructor(parts: CopilotKitParts) {
    this.#parts = parts;
  }

  /** @throws Fault while nothing is answered yet */
  async handle(exchange: Exchange): Promise<void> {
    const reply = await this.#take(exchange);
    switch (reply?.is) {
      case 'json':
        answerJson(exchange.response, 200, reply.body);
        return;
      case 'run':
        await this.#parts.streams.answer(exchange, reply.accepted);
        return;
      case 'look':
        await this.#look(exchange, reply.look);
        return;
      case undefined:
    }
  }

  /** Undefined: it was refused, and answered. */
  async #take(exchange: Exchange): Promise<Reply | undefined> {
    const { request, url } = exchange;
    const segments = segmentsOf(url.pathname, copilotKitPrefix);
    const read = (): Promise<unknown> => readJson(request, this.#parts.limits.maxBodyBytes);
    if (segments.every((segment) => segment === '')) {
      if (!allowMethod(exchange, 'POST') || !allowJson(exchange)) return undefined;
      const envelope = new Field(await read(), []);
      return await this.#perform(exchange, decodeEnvelope(envelope), async () => envelope.at('body').value);
    }
    const call = decodePath(segments, url.pathname);
    if (!allowMethod(exchange, call.method === 'info' ? 'GET' : 'POST')) return undefined;
    const takesBody = call.method !== 'info' && (call.method !== 'agent/stop' || hasBody(exchange.request));
    if (takesBody && !allowJson(exchange)) return undefined;
    return await this.#perform(exchange, call, takesBody ? read : async () => undefined);
  }

  async #perform(exchange: Exchange, call: Call, read: () => Promise<unknown>): Promise<Reply> {
    const { gateway, getAgent, accept } = this.#parts;
    if (call.method === 'info') return { is: 'json', body: encodeInfo(gateway.agents()) };
    const agent = getAgent(call.agentId);
    const body = await read();
    switch (call.method) {
      case 'agent/run': {
        const accepted = await accept(exchange, agent, body);
        return { is: 'run', accepted: { ...accepted, profile: profileOf(accepted.profile) } };
      }
      case 'agent/connect':
        return { is: 'look', look: decodeLook(body) };
      case 'agent/stop':
        return { is: 'json', body: await this.#stop(exchange, call.threadId, decodeStop(body)) };
    }
  }

  /** To what is not there yet a page may connect before its first message; it keeps the messages that it begins with. */
  async #look(exchange: Exchange, { threadId, runId, after, profile }: Look): Promise<void> {
    const { gateway, streams } = this.#parts;
    if ((await gateway.threads.find(exchange.principal, threadId)) === undefined) {
      answerEmpty(exchange, { threadId, runId });
      return;
    }
    if (after !== undefined && (await this.#goesOn(exchange, threadId, after))) return;
    await streams.join(exchange, threadId, profile);
  }

  /** Whether the thread's stream could be gone on with there. */
  async #goesOn(exchange: Exchange, threadId: ThreadId, after: string): Promise<boolean> {
    try {
      await this.#parts.streams.resume(exchange, threadId, after);
      return true;
    } catch (thrown) {
      const { code } = Fault.from(thrown);
      if (code === 'cursor-expired' || code === 'invalid-request') return false;
      throw thrown;
    }
  }

  /** Ends one run, or all that this caller brought in on the thread. */
  async #stop({ principal }: Exchange, threadId: ThreadId, runId: string | undefined): Promise<object> {
    const { threads, runs } = this.#parts.gateway;
    const caller = { ...principal, door: 'ag-ui', origin: 'user' } as const;
    try {
      const report =
        runId === undefined
          ? await threads.cancel(caller, threadId)
          : await runs.cancelActivation(caller, threadId, `ag-ui:${runId}`);
      if (hasStopped(report)) return stopped;
    } catch (thrown) {
      if (Fault.from(thrown).code !== 'not-found') throw thrown;
    }
    const what = runId === undefined ? 'Nothing of yours' : `Run ${JSON.stringify(runId)} is not what`;
    return { stopped: false, message: `${what} runs on thread ${JSON.stringify(threadId)}.` };
  }
}

const stopped = {
  stopped: true,
  interrupt: { type: EventType.RUN_ERROR, message: 'Run stopped by user', code: 'STOPPED' },
};

function hasStopped({ runs, retracted }: StopReport): boolean {
  return retracted.length > 0 || Object.values(runs).some((state) => state !== 'was-ended');
}

/** A whole stream that tells nothing. */
function answerEmpty({ response }: Exchange, ids: { readonly threadId: ThreadId; readonly runId: string }): void {
  const events: readonly WireEvent[] = [
    { type: EventType.RUN_STARTED, ...ids, protocolVersion: PROTOCOL_VERSION },
    { type: EventType.RUN_FINISHED, ...ids },
  ];
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' });
  response.end(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
}

/** A frontend asks for nothing that is off here. */
function encodeInfo(agents: readonly AgentCard[]): object {
  return {
    version: manifest.version,
    agents: Object.fromEntries(agents.map((agent) => [agent.id, encodeAgent(agent)])),
    mode: 'sse',
    threadEndpoints: { list: false, inspect: false, mutations: false, realtimeMetadata: false },
    suggestions: false,
    audioFileTranscriptionEnabled: false,
    a2uiEnabled: false,
    openGenerativeUIEnabled: false,
    telemetryDisabled: true,
  };
}

function encodeAgent(agent: AgentCard): object {
  const { name, description } = agent;
  return { name, description, className: 'AnyportAgent', capabilities: encodeCapabilities(agent) };
}

/** @throws Fault `not-found`, `unsupported` */
function decodePath(segments: readonly string[], pathname: string): Call {
  const [first = '', agentId = '', action, threadId = ''] = segments;
  if (othersInPaths.has(first) || (first === 'agent' && action === 'suggest')) throw notOffered(pathname);
  if (segments.includes('')) throw nothingAt(pathname);
  if (first === 'info' && segments.length === 1) return { method: 'info' };
  if (first !== 'agent' || segments.length !== (action === 'stop' ? 4 : 3)) throw nothingAt(pathname);
  switch (action) {
    case 'run':
    case 'connect':
      return { method: `agent/${action}`, agentId };
    case 'stop':
      return { method: 'agent/stop', agentId, threadId };
    default:
      throw nothingAt(pathname);
  }
}

/** @throws Fault `invalid-request`, `unsupported` */
function decodeEnvelope(envelope: Field): Call {
  const method = envelope.at('method').string();
  if (othersInEnvelopes.has(method)) throw notOffered(method);
  if (method === 'info') return { method };
  const params = envelope.at('params');
  switch (method) {
    case 'agent/run':
    case 'agent/connect':
      return { method, agentId: params.at('agentId').id() };
    case 'agent/stop':
      return { method, agentId: params.at('agentId').id(), threadId: params.at('threadId').id() };
    default:
      return envelope.at('method').refuse('is not one of info, agent/run, agent/connect, agent/stop');
  }
}

function notOffered(what: string): Fault {
  return new Fault('unsupported', `Anyport has no ${what}, as info says`);
}

/** A whole RunAgentInput is sent; most of it is the frontend's copy, which is what it wants to be told. */
function decodeLook(body: unknown): Look {
  const input = new Field(body, []);
  const threadId = input.at('threadId').addressableId();
  return {
    threadId,
    runId: input.at('runId').optional((field) => field.id()) ?? threadId,
    after: input.at('lastSeenEventId').optional((field) => field.string()),
    profile: profileOf(chooseProfile(input.at('protocolVersion'))),
  };
}

/** The run that is meant; undefined: all of the thread's. */
function decodeStop(body: unknown): string | undefined {
  if (body === undefined) return undefined;
  return new Field(body, []).at('runId').optional((field) => field.id());
}

/** Its pages never say their version; one that does is a client of its own. */
function profileOf(profile: Profile): Profile {
  return profile.name === '0.x' ? profiles.copilotkit : profile;
}
