import { PassThrough, Readable, Writable } from 'node:stream';
import { ndJsonStream, type Stream } from '@agentclientprotocol/sdk';
import { createHttpStream } from '@agentclientprotocol/sdk/experimental/http-client';
import { createWebSocketStream } from '@agentclientprotocol/sdk/experimental/ws-client';
import { WebSocket } from 'ws';
import { a2aAdapter } from '../../adapters/a2a/adapter.ts';
import { openGrpc } from '../../adapters/a2a/grpc.ts';
import { acpAdapter } from '../../adapters/acp/adapter.ts';
import { Connection } from '../../adapters/acp/connection.ts';
import { LinesChannel } from '../../adapters/acp/lines.ts';
import { versions } from '../../adapters/acp/versions.ts';
import { agUiAdapter } from '../../adapters/ag-ui/adapter.ts';
import { Config } from '../../schemas/config.ts';
import type { AgentId, Principal } from '../../schemas/id.ts';
import { textOf } from '../../schemas/part.ts';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import { AgentRegistry } from '../../src/agents/registry.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import { Mailbox } from '../../src/mailbox/mailbox.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { createLog } from '../../src/server/log.ts';
import { OwnPort } from '../../src/server/own-port.ts';
import { bearerOf, Principals } from '../../src/server/principals.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { checkStore } from './checker.ts';
import { limits, say, scripted } from './mailbox-fixture.ts';
import { until } from './until.ts';

/** Who may pass: each is a tenant's only actor. */
export const passers = { ann: { scope: 'acme', actor: 'ann' }, eve: { scope: 'other', actor: 'eve' } } as const;
export type Passer = keyof typeof passers;

export function tokenOf(passer: Passer): string {
  return `${passer}-token`;
}

/** Says what it was told until now. */
const listener = scripted(
  async function* (_activation, context) {
    const heard: string[] = [];
    for await (const { role, parts } of context.history()) if (role === 'user') heard.push(textOf(parts));
    yield* say(context, 'answer', `You said: ${heard.join(', ')}.`);
  },
  { id: 'listener' },
);

/** A connection of ACP that can be cut. */
export interface AcpWire {
  readonly stream: Stream;
  readonly cut: () => void;
}

/** A gateway in memory with every door open; of its agents one is the demo agent, the other says what it was told. */
export class Doors implements AsyncDisposable {
  readonly url: string;
  readonly mailbox: Mailbox;
  readonly store: MemoryStore;
  readonly #close: () => Promise<void>;
  readonly #acpConnections: Connection[] = [];

  private constructor(parts: Pick<Doors, 'url' | 'mailbox' | 'store'> & { readonly close: () => Promise<void> }) {
    this.url = parts.url;
    this.mailbox = parts.mailbox;
    this.store = parts.store;
    this.#close = parts.close;
  }

  static async open(): Promise<Doors> {
    const tokens = Object.entries(passers).map(([name, who]) => ({ token: tokenOf(name as Passer), ...who }));
    const settings = Config.parse({ port: 0, tokens });
    const store = new MemoryStore({ clock });
    const ids = new TimeOrderedIds();
    const mailbox = new Mailbox({
      store,
      agents: new AgentRegistry([new DemoAgent({ id: 'demo', clock, counter: new MemoryCounter() }), listener]),
      clock,
      ids,
      limits: { ...limits, backoffBaseMs: 1 },
      log: silent,
    });
    let url = '';
    let grpcAddress: string | undefined;
    const a2a = {
      gateway: mailbox,
      clock,
      baseUrl: () => url,
      grpcAddress: () => grpcAddress,
      callerIs: 'person',
      show: ['reasoning', 'tools', 'plans'],
    } as const;
    const { maxBodyBytes, keepAliveMs, slowViewerMs } = settings.limits;
    const acpLimits = { maxBodyBytes, keepAliveMs, slowViewerMs, ...settings.acp };
    const server = new HttpServer({
      settings,
      adapters: [
        agUiAdapter({ gateway: mailbox, clock }),
        a2aAdapter(a2a),
        acpAdapter({ gateway: mailbox, clock, limits: acpLimits, needsToken: true }),
      ],
      about: () => ({}),
      storeHealth: () => store.health(),
      clock,
      ids,
      log: silent,
    });
    const principals = new Principals(settings.tokens);
    const recognise = (authorization: string | undefined): Principal => principals.recognise(bearerOf(authorization));
    const handler = await openGrpc({ ...a2a, recognise, log: silent });
    const place = { path: 'a2a.grpc', host: '127.0.0.1', port: 0, tls: undefined, insecure: false };
    const grpc = await OwnPort.create({ ...place, settings, handler, clock, log: silent });
    grpcAddress = `127.0.0.1:${await grpc.listen()}`;
    url = `http://127.0.0.1:${await server.listen()}`;
    await mailbox.start();
    server.open();
    const close = async (): Promise<void> => {
      await Promise.all([server.close(() => mailbox.stop()), grpc.close()]);
    };
    return new Doors({ url, mailbox, store, close });
  }

  /** The end of an IDE that has just started the gateway. */
  acpLines(passer: Passer, agentId: AgentId): AcpWire {
    const card = this.mailbox.findAgent(agentId);
    if (card === undefined) throw new Fault('agent-not-found', agentId);
    const [up, down] = [new PassThrough(), new PassThrough()];
    const channel = new LinesChannel({ input: up, output: down, clock });
    const principal = passers[passer];
    const who = { principal, card, needsToken: false, whenBusy: 'queue' } as const;
    this.#acpConnections.push(new Connection(channel, { gateway: this.mailbox, clock, log: silent, versions, ...who }));
    const stream = ndJsonStream(Writable.toWeb(up), Readable.toWeb(down) as ReadableStream<Uint8Array>);
    return { stream, cut: () => up.destroy() };
  }

  acpWebSocket(passer: Passer, agentId: AgentId): AcpWire {
    const opened: WebSocket[] = [];
    class KeptWebSocket extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        opened.push(this);
      }
    }
    const url = `${this.url.replace('http', 'ws')}/acp/${agentId}`;
    const stream = createWebSocketStream(url, { WebSocket: KeptWebSocket, headers: headersOf(passer) });
    return { stream, cut: () => opened.forEach((one) => one.terminate()) };
  }

  acpHttp(passer: Passer, agentId: AgentId): AcpWire {
    const over = new AbortController();
    const stream = createHttpStream(`${this.url}/acp/${agentId}`, {
      headers: headersOf(passer),
      fetch: (to, init) =>
        fetch(to, { ...init, signal: AbortSignal.any([over.signal, ...(init?.signal ? [init.signal] : [])]) }),
    });
    return { stream, cut: () => over.abort() };
  }

  /** Resolves when nothing runs, waits or queues. */
  async idle(): Promise<void> {
    await until('the end of all runs', async () => {
      const pages = await Promise.all(
        Object.values(passers).map((who) => this.mailbox.runs.list(who, {}, { limit: 100 })),
      );
      return pages.every(({ items }) => items.every(({ status }) => status === 'done'));
    });
  }

  /** What breaks an invariant of the store. */
  violations(): Promise<string[]> {
    return checkStore(
      this.store,
      Object.values(passers).map(({ scope }) => scope),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#acpConnections.map((connection) => connection.close()));
    await this.#close();
  }
}

export function headersOf(passer: Passer): Record<string, string> {
  return { authorization: `Bearer ${tokenOf(passer)}` };
}

const silent = createLog({ level: 'silent', pretty: false }, { write: () => undefined });
