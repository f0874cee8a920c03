import type { IncomingMessage } from 'node:http';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Credentials, Exchange, Upgrade } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import { type ConnectionSlotLimits, ConnectionSlots } from './connection-slots.ts';
import { type ConnectTicketLimits, ConnectTickets } from './connect-tickets.ts';
import { type AcpDoor, type ConnectedFrom, DoorConnection } from './door.ts';
import { type HttpLimits, HttpTransport } from './http.ts';
import { tokenOffered, type WebSocketLimits, WebSocketTransport } from './web-socket.ts';

export interface AcpTransportLimits extends HttpLimits, WebSocketLimits, ConnectionSlotLimits, ConnectTicketLimits {
  /** What is held for a client that does not read, before its agents have to wait. */
  readonly maxBufferedBytes: number;
}

export interface AcpTransportsParts {
  readonly door: AcpDoor;
  readonly clock: Clock;
  readonly limits: AcpTransportLimits;
  /** Aborted when the gateway stops. */
  readonly stopping: AbortSignal;
}

/** Timers fire at once past it; the SDK refuses it. */
const longestTimerMs = 2 ** 31 - 1;

interface Loaded {
  readonly http: HttpTransport;
  readonly webSocket: WebSocketTransport;
  readonly close: () => Promise<void>;
}

/**
 * How remote clients reach the door: streamable HTTP and WebSocket at one URL for each agent, both by the SDK's server,
 * which is loaded for the first of them.
 *
 * - `open`: left by `close`, or when the gateway stops
 * - `closing`: connections end by themselves, and after a while are ended; nobody is connected any more
 */
export class AcpTransports {
  readonly #parts: AcpTransportsParts;
  readonly #slots: ConnectionSlots;
  readonly #tickets: ConnectTickets;
  readonly #connections = new Set<Promise<void>>();
  #loaded: Promise<Loaded> | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: AcpTransportsParts) {
    const { clock, limits, stopping } = parts;
    this.#parts = parts;
    this.#slots = new ConnectionSlots(limits);
    this.#tickets = new ConnectTickets(clock, limits);
    stopping.addEventListener('abort', () => void this.close(), { once: true });
  }

  /** Browsers cannot set headers on a WebSocket: they bring a ticket in its URL, or a token among its subprotocols. */
  recognise(request: IncomingMessage, url: URL): Credentials | undefined {
    const { upgrade, authorization } = request.headers;
    if (upgrade === undefined || authorization !== undefined) return undefined;
    const ticket = url.searchParams.get('ticket');
    if (ticket !== null) return { principal: this.#tickets.redeem(ticket) };
    const token = tokenOffered(request);
    return token === undefined ? undefined : { token };
  }

  /** Answers with a ticket that connects one WebSocket as its buyer. @throws Fault `too-many`, `unsupported` */
  sellTicket({ request, response, principal }: Exchange): void {
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST');
      throw new Fault('unsupported', 'only POST is served here');
    }
    const { ticket, expiresAtMs } = this.#tickets.sell(principal);
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify({ ticket, expiresAt: new Date(expiresAtMs).toISOString() }));
  }

  /** Answers one request over streamable HTTP. @throws Fault for what does not reach a connection */
  async handle(exchange: Exchange, agent: AgentCard): Promise<void> {
    await (await this.#load()).http.handle(exchange, agent);
  }

  /** Takes a connection over for WebSocket. @throws Fault before anything is written */
  async upgrade(upgrade: Upgrade, agent: AgentCard): Promise<void> {
    (await this.#load()).webSocket.upgrade(upgrade, agent);
  }

  /** Lets every connection end by itself, for `closeMs` at most, and then ends what is left. Twice is fine. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#connectionsClosed();
    const loaded = await this.#loaded?.catch(() => undefined);
    await loaded?.close();
  }

  async #connectionsClosed(): Promise<void> {
    const { clock, limits } = this.#parts;
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.at(clock.now() + limits.closeMs, resolve);
    });
    await Promise.race([Promise.all(this.#connections), late]);
    cancel();
  }

  async #load(): Promise<Loaded> {
    if (this.#closed !== undefined) throw new Fault('shutting-down', 'the gateway is stopping');
    this.#loaded ??= this.#open();
    return this.#loaded;
  }

  async #open(): Promise<Loaded> {
    const { clock, limits, stopping } = this.#parts;
    const { AcpServer } = await import('@agentclientprotocol/sdk/experimental/server');
    const { maxBufferedBytes } = limits;
    const maxOutputStallMs = Math.min(Math.max(1, limits.slowViewerMs), longestTimerMs);
    const sdk = new AcpServer({ createAgent: noAgent, maxBufferedBytes, maxOutputStallMs });
    const connect = (from: ConnectedFrom): DoorConnection => this.#connect(from);
    const parts = { sdk, connect, slots: this.#slots, clock, limits, stopping };
    const http = new HttpTransport(parts);
    const webSocket = await WebSocketTransport.open(parts);
    const close = async (): Promise<void> => {
      http.close();
      await sdk.close();
    };
    return { http, webSocket, close };
  }

  #connect(from: ConnectedFrom): DoorConnection {
    return new DoorConnection(this.#parts.door, from, (closed) => {
      this.#connections.add(closed);
      void closed.then(() => this.#connections.delete(closed));
    });
  }
}

function noAgent(): never {
  throw new Fault('internal', 'a connection names no agent');
}
