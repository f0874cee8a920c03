// Streamable HTTP: POST for what the client says, GET for a stream of what it is told, DELETE to leave.
// https://agentclientprotocol.com/rfds/streamable-http-websocket-transport
import type { AcpServer } from '@agentclientprotocol/sdk/experimental/server';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { exchangeSignal } from '../../src/exchange-signal.ts';
import { Fault } from '../../src/fault.ts';
import type { ConnectionSlots } from './connection-slots.ts';
import type { ConnectedFrom, DoorConnection } from './door.ts';
import { decodeRequest, sendAnswer } from './fetch.ts';
import { HttpConnection } from './http-connection.ts';

export interface HttpLimits {
  readonly maxBodyBytes: number;
  readonly keepAliveMs: number;
  readonly slowViewerMs: number;
  /** How long a connection without a request or a stream is kept. */
  readonly idleMs: number;
  /** How long a client may take to initialize: one whose `initialize` was refused never does. */
  readonly initializeMs: number;
}

export interface HttpTransportParts {
  readonly sdk: AcpServer;
  readonly connect: (from: ConnectedFrom) => DoorConnection;
  readonly slots: ConnectionSlots;
  readonly clock: Clock;
  readonly limits: HttpLimits;
  readonly stopping: AbortSignal;
}

const methods = ['GET', 'POST', 'DELETE'];
const idHeader = 'acp-connection-id';
/** What the SDK answers when its signal was aborted. */
const requestAborted = 499;

/** Clients over streamable HTTP. A connection is its opener's: to others, and at another agent's URL, it is not there. */
export class HttpTransport {
  readonly #parts: HttpTransportParts;
  readonly #connections = new Map<string, HttpConnection>();

  constructor(parts: HttpTransportParts) {
    this.#parts = parts;
  }

  /** Settles when the answer has ended. @throws Fault for what does not reach a connection */
  async handle(exchange: Exchange, agent: AgentCard): Promise<void> {
    const { method = '', headers } = exchange.request;
    if (!methods.includes(method)) {
      exchange.response.setHeader('allow', methods.join(', '));
      throw new Fault('unsupported', `only ${methods.join(', ')} are served here`);
    }
    const id = headers[idHeader];
    if (typeof id === 'string') await this.#use(exchange, this.#get(id, exchange, agent));
    else if (method === 'POST') await this.#open(exchange, agent);
    else await this.#send(await this.#ask(exchange), exchange);
  }

  close(): void {
    for (const connection of this.#connections.values()) this.#forget(connection);
  }

  #use(exchange: Exchange, connection: HttpConnection): Promise<void> {
    return connection.use(async () => {
      const answer = await this.#ask(exchange);
      const isGone = exchange.request.method === 'DELETE' || answer.status === 404;
      if (isGone) this.#forget(connection);
      await this.#send(answer, exchange);
    });
  }

  /** Without the id of a connection a message can only begin one. */
  async #open(exchange: Exchange, agent: AgentCard): Promise<void> {
    const { principal, log } = exchange;
    const { slots, connect, clock, limits } = this.#parts;
    const release = slots.take(principal);
    const opened = connect({ principal, agent, log });
    let id: string | null = null;
    try {
      const answer = await this.#ask(exchange, opened);
      id = answer.headers.get(idHeader);
      if (id !== null) {
        const reap = (): void => void this.#reap(connection);
        const { idleMs, initializeMs } = limits;
        const connection = new HttpConnection({ id, principal, agent, clock, idleMs, idle: reap, release });
        this.#connections.set(id, connection);
        opened.expectInitialize(clock, initializeMs, reap);
        void opened.closed?.then(() => this.#forget(connection));
      }
      await this.#send(answer, exchange);
    } finally {
      if (id === null) release();
    }
  }

  #get(id: string, { principal }: Exchange, agent: AgentCard): HttpConnection {
    const connection = this.#connections.get(id);
    if (connection?.belongsTo(principal, agent) !== true) throw new Fault('not-found', 'there is no such connection');
    return connection;
  }

  #forget(connection: HttpConnection): void {
    if (this.#connections.delete(connection.id)) connection.end();
  }

  async #reap(connection: HttpConnection): Promise<void> {
    this.#forget(connection);
    const headers = { [idHeader]: connection.id };
    await this.#parts.sdk.handleRequest(new Request('http://localhost', { method: 'DELETE', headers }));
  }

  /** `opened`: what a first message connects to. */
  async #ask(exchange: Exchange, opened?: DoorConnection): Promise<Response> {
    const { sdk, limits, stopping } = this.#parts;
    using over = exchangeSignal(exchange.response, stopping);
    const request = await decodeRequest(exchange, { maxBodyBytes: limits.maxBodyBytes, signal: over.signal });
    const answer = await sdk.handleRequest(request, opened === undefined ? {} : { createAgent: () => opened });
    if (answer.status === requestAborted && stopping.aborted) {
      throw new Fault('shutting-down', 'the gateway is stopping');
    }
    return answer;
  }

  #send(answer: Response, { response }: Exchange): Promise<void> {
    const { clock, limits, stopping } = this.#parts;
    const { keepAliveMs, slowViewerMs } = limits;
    return sendAnswer(answer, response, { clock, keepAliveMs, slowViewerMs, stopping });
  }
}
