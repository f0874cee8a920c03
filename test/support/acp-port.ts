import {
  agent as agentApp,
  client as clientApp,
  methods,
  type AgentContext,
  type ClientContext,
  type Stream,
} from '@agentclientprotocol/sdk';
import { createHttpStream } from '@agentclientprotocol/sdk/experimental/http-client';
import { createWebSocketStream } from '@agentclientprotocol/sdk/experimental/ws-client';
import { once, setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocket, type ClientOptions } from 'ws';
import type { AcpDoor, ConnectedFrom, Visit } from '../../adapters/acp/door.ts';
import { answerProblem } from '../../src/problem.ts';
import { AcpTransports, type AcpTransportLimits } from '../../adapters/acp/transports.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import { Config, type ConfigInput } from '../../schemas/config.ts';
import type { Adapter } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { systemClock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { createLog } from '../../src/server/log.ts';

export const tokens = [
  { token: 'ann-token+/=', scope: 'acme', actor: 'ann' },
  { token: 'bob-token', scope: 'acme', actor: 'bob' },
];

export const ann = { authorization: 'Bearer ann-token+/=' };
export const bob = { authorization: 'Bearer bob-token' };

export interface AcpPortOptions {
  readonly config?: ConfigInput;
  readonly limits?: Partial<AcpTransportLimits>;
  readonly clock?: Clock;
  readonly door?: AcpDoor;
}

/** A port where agents `demo` and `other` are reached over ACP's remote transports; behind them is a door of the SDK's. */
export class AcpPort implements AsyncDisposable {
  readonly door: EchoDoor;
  readonly logged: string[] = [];
  readonly server: HttpServer;
  readonly #stopping = new AbortController();
  #port = 0;

  private constructor({ config = {}, limits = {}, clock = systemClock, door }: AcpPortOptions) {
    const settings = Config.parse({ port: 0, ...config });
    const { maxBodyBytes, keepAliveMs, slowViewerMs } = settings.limits;
    setMaxListeners(0, this.#stopping.signal);
    this.door = new EchoDoor(this.#stopping.signal);
    const transports = new AcpTransports({
      door: door ?? this.door,
      clock,
      limits: { maxBodyBytes, keepAliveMs, slowViewerMs, ...settings.acp, ...limits },
      stopping: this.#stopping.signal,
    });
    this.server = new HttpServer({
      settings,
      adapters: [adapterOf(transports), plainAdapter],
      about: () => ({}),
      storeHealth: () => ({ is: 'open' }),
      clock,
      ids: new TimeOrderedIds(),
      log: createLog({ level: 'debug', pretty: false }, { write: (line) => this.logged.push(line) }),
    });
  }

  static async open(options: AcpPortOptions = {}): Promise<AcpPort> {
    const opened = new AcpPort(options);
    opened.#port = await opened.server.listen();
    opened.server.open();
    return opened;
  }

  get port(): number {
    return this.#port;
  }

  url(path = '/acp/demo', scheme: 'http' | 'ws' = 'http'): string {
    return `${scheme}://127.0.0.1:${this.#port}${path}`;
  }

  /** A WebSocket as it opens: open, or refused with an HTTP answer. */
  async knock(path = '/acp/demo', options: ClientOptions = {}, protocols: string[] = []): Promise<Knocked> {
    const webSocket = new WebSocket(this.url(path, 'ws'), protocols, options);
    return await new Promise((resolve, reject) => {
      let head: IncomingMessage | undefined;
      webSocket.once('upgrade', (response) => {
        head = response;
      });
      webSocket.once('open', () =>
        resolve({ webSocket, status: 101, headers: head?.headers ?? {}, body: '', socket: head?.socket }),
      );
      webSocket.once('unexpected-response', (_request, response) => {
        void text(response).then((body) => {
          const { statusCode: status = 0, headers } = response;
          resolve({ webSocket, status, headers, body, socket: undefined });
        });
      });
      webSocket.once('error', reject);
    });
  }

  httpStream(headers: Record<string, string> = {}, path?: string): Stream {
    return createHttpStream(this.url(path), { headers });
  }

  webSocketStream(headers: Record<string, string> = {}, protocols: string[] = []): Stream {
    return createWebSocketStream(this.url('/acp/demo', 'ws'), { WebSocket, headers, protocols });
  }

  /** One request over streamable HTTP; a body that is not text is sent as JSON. */
  async ask(method: string, { path, headers = {}, body }: Asking = {}): Promise<Response> {
    const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const init = { method, headers: { ...type, ...headers } };
    return await fetch(this.url(path), sent === undefined ? init : { ...init, body: sent });
  }

  /** Opens a connection over streamable HTTP; resolves with its id. */
  async connect(headers: Record<string, string> = {}): Promise<{ readonly 'acp-connection-id': string }> {
    const response = await this.ask('POST', { body: initialize(), headers });
    await response.text();
    return { 'acp-connection-id': response.headers.get('acp-connection-id') ?? '' };
  }

  /** Says that it stops, as the gateway does, and waits for the port to be closed. */
  async stop(): Promise<void> {
    await this.server.close(() => {
      this.#stopping.abort();
      return Promise.resolve();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export interface Asking {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

export interface Knocked {
  readonly webSocket: WebSocket;
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The connection beneath. */
  readonly socket: Socket | undefined;
}

/** Closed, with its code and reason. */
export async function closeOf(webSocket: WebSocket): Promise<{ readonly code: number; readonly reason: string }> {
  const [code, reason] = (await once(webSocket, 'close')) as [number, Buffer];
  return { code, reason: reason.toString() };
}

export function initialize(id: number | string = 0): object {
  return { jsonrpc: '2.0', id, method: 'initialize', params: { protocolVersion: 1, clientCapabilities: {} } };
}

/** Opens a session over a stream and says things in it; resolves with what each was answered. */
export async function converse(stream: Stream, ...prompts: string[]): Promise<string[]> {
  const app = clientApp({ name: 'test' });
  return await app.connectWith(stream, async (agent) => {
    await agent.request(methods.agent.initialize, { protocolVersion: 1, clientCapabilities: {} });
    return await inSession(agent, prompts);
  });
}

async function inSession(agent: ClientContext, prompts: readonly string[]): Promise<string[]> {
  return await agent.buildSession('/').withSession(async (session) => {
    const answers: string[] = [];
    for (const prompt of prompts) {
      void session.prompt(prompt);
      answers.push(await session.readText());
    }
    return answers;
  });
}

/** Welcomes a client, and then neither reads nor ends. */
export const lingeringDoor: AcpDoor = {
  connect({ readable, writable }) {
    const writer = writable.getWriter();
    const welcome = async (): Promise<void> => {
      await readable.getReader().read();
      await writer.write({ jsonrpc: '2.0', id: 0, result: { protocolVersion: 1 } });
      await writer.write({ jsonrpc: '2.0', method: '_welcome' });
    };
    void welcome().catch(() => undefined);
    return { initialized: Promise.resolve(), closed: new Promise(() => undefined) };
  },
};

/** Echoes prompts; `/flood N SIZE` is answered with N updates of SIZE characters. Says good bye when the gateway stops. */
class EchoDoor implements AcpDoor {
  readonly connected: ConnectedFrom[] = [];
  /** Updates that were taken from it. */
  told = 0;
  open = 0;
  readonly #stopping: AbortSignal;
  #sessions = 0;

  constructor(stopping: AbortSignal) {
    this.#stopping = stopping;
  }

  connect(stream: Parameters<AcpDoor['connect']>[0], from: ConnectedFrom): Visit {
    this.connected.push(from);
    this.open++;
    const sessions: string[] = [];
    const initialized = deferred();
    const connection = this.#app(sessions, initialized.resolve).connect(stream as Stream);
    const stop = (): void => void sayGoodBye();
    const sayGoodBye = async (): Promise<void> => {
      for (const sessionId of sessions) await say(connection.client, sessionId, 'good bye');
      connection.close();
    };
    this.#stopping.addEventListener('abort', stop);
    return {
      initialized: initialized.promise,
      closed: connection.closed.finally(() => {
        this.open--;
        this.#stopping.removeEventListener('abort', stop);
      }),
    };
  }

  #app(sessions: string[], initialized: () => void) {
    return agentApp({ name: 'echo' })
      .onRequest(methods.agent.initialize, () => {
        initialized();
        return { protocolVersion: 1, agentCapabilities: { loadSession: true } };
      })
      .onRequest(methods.agent.session.new, () => {
        const sessionId = `session-${++this.#sessions}`;
        sessions.push(sessionId);
        return { sessionId };
      })
      .onRequest(methods.agent.session.load, () => ({}))
      .onRequest(methods.agent.session.prompt, async ({ params: { sessionId, prompt }, client, signal }) => {
        const [block] = prompt;
        const words = block?.type === 'text' ? block.text : '';
        const [, count, size] = /^\/flood (\d+) (\d+)$/.exec(words) ?? [];
        const chunk = size === undefined ? words : 'x'.repeat(Number(size));
        for (let n = 0; n < Number(count ?? 1) && !signal.aborted; n++) {
          await say(client, sessionId, chunk);
          this.told++;
        }
        return { stopReason: 'end_turn' };
      });
  }
}

function say(to: AgentContext, sessionId: string, words: string): Promise<void> {
  const content = { type: 'text', text: words } as const;
  const update = { sessionUpdate: 'agent_message_chunk', content } as const;
  return to.notify(methods.client.session.update, { sessionId, update });
}

const cards: Readonly<Record<string, AgentCard>> = { demo: card('demo'), other: card('other') };

function card(id: string): AgentCard {
  const capabilities = {
    reasoning: false,
    tools: false,
    clientTools: false,
    state: false,
    approvals: false,
    subagents: false,
  };
  const about = { id, version: '1', name: id, description: id, skills: [] };
  return { ...about, capabilities: { input: [], ...capabilities }, recovery: 'fail', takesInput: false };
}

const refuse: Adapter['refuse'] = (fault, response) => {
  answerProblem(fault, response, { unsupported: 405 });
};

function adapterOf(transports: AcpTransports): Adapter {
  const agentAt = ({ pathname }: URL): AgentCard => {
    const found = cards[pathname.slice('/acp/'.length)];
    if (found === undefined) throw new Fault('agent-not-found', `nothing is served at ${pathname}`);
    return found;
  };
  return {
    name: 'ACP',
    prefixes: ['/acp'],
    entryPoints: [],
    recognise: (request, url) => transports.recognise(request, url),
    async handle(exchange) {
      if (exchange.url.pathname === '/acp/tickets') transports.sellTicket(exchange);
      else await transports.handle(exchange, agentAt(exchange.url));
    },
    upgrade: (upgrade) => transports.upgrade(upgrade, agentAt(upgrade.url)),
    refuse,
  };
}

/** Says what it was asked, and serves no upgrades. */
const plainAdapter: Adapter = {
  name: 'plain',
  prefixes: ['/plain'],
  entryPoints: [],
  async handle({ request, response, url }) {
    response.end(`${request.method} ${url.pathname}: ${await text(request)}`);
  },
  refuse,
};
