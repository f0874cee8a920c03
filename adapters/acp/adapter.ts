// ACP over streamable HTTP and WebSocket: each agent has a URL of its own below /acp.
// https://agentclientprotocol.com/rfds/streamable-http-websocket-transport
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Adapter, Credentials, Exchange, Upgrade } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway } from '../../src/gateway.ts';
import { answerProblem } from '../../src/problem.ts';
import { decodeSegment } from '../../src/url-path.ts';
import { closeWith, Connection } from './connection.ts';
import type { ConnectedFrom, MessageStream, Visit } from './door.ts';
import { MessageStreamChannel } from './message-stream.ts';
import { type AcpTransportLimits, AcpTransports } from './transports.ts';
import { versions } from './versions.ts';

export interface AcpOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly limits: AcpTransportLimits;
  /** Whether callers need a token; then clients are told how they may say who they are. */
  readonly needsToken?: boolean;
  /** What a prompt does when its session is busy; `queue` if not given. */
  readonly whenBusy?: WhenBusy;
}

const acpPrefix = '/acp';
/** Where browsers get what lets them open a WebSocket. No agent is served under this name. */
const ticketsPath = `${acpPrefix}/tickets`;

export function acpAdapter(options: AcpOptions): Adapter {
  return new AcpAdapter(options);
}

class AcpAdapter implements Adapter {
  readonly name = 'ACP';
  readonly prefixes = [acpPrefix];
  readonly #options: AcpOptions;
  readonly #transports: AcpTransports;

  constructor(options: AcpOptions) {
    const { gateway, clock, limits } = options;
    this.#options = options;
    const door = { connect: (stream: MessageStream, from: ConnectedFrom) => this.#connect(stream, from) };
    this.#transports = new AcpTransports({ door, clock, limits, stopping: gateway.stopping });
  }

  get entryPoints(): Adapter['entryPoints'] {
    return this.#options.gateway.agents().map(({ id }) => ({ what: `ACP ${id}`, path: pathOf(id) }));
  }

  recognise(request: IncomingMessage, url: URL): Credentials | undefined {
    return this.#transports.recognise(request, url);
  }

  async handle(exchange: Exchange): Promise<void> {
    const { url, response, log } = exchange;
    try {
      if (url.pathname === ticketsPath) this.#transports.sellTicket(exchange);
      else await this.#transports.handle(exchange, this.#agentAt(url));
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (fault.code === 'internal') log.error({ cause: fault.cause ?? fault }, 'an ACP request failed');
      this.refuse(fault, response);
    }
  }

  async upgrade(upgrade: Upgrade): Promise<void> {
    await this.#transports.upgrade(upgrade, this.#agentAt(upgrade.url));
  }

  refuse(fault: unknown, response: ServerResponse): void {
    if (response.headersSent) response.destroy();
    else answerProblem(fault, response, { unsupported: 405 });
  }

  #agentAt({ pathname }: URL): AgentCard {
    const [segment = '', ...rest] = pathname.slice(acpPrefix.length + 1).split('/');
    const id = decodeSegment(segment);
    const agent = rest.length > 0 ? undefined : this.#options.gateway.findAgent(id);
    if (agent === undefined) throw new Fault('agent-not-found', `no agent has the id ${JSON.stringify(id)}`);
    return agent;
  }

  #connect(stream: MessageStream, { principal, agent: card, log }: ConnectedFrom): Visit {
    const { gateway, clock, needsToken = false, whenBusy = 'queue' } = this.#options;
    const parts = { gateway, clock, needsToken, whenBusy, principal, card, versions, log };
    const connection = new Connection(new MessageStreamChannel(stream), parts);
    closeWith(gateway.stopping, connection);
    return { initialized: connection.whenInitialized, closed: connection.whenClosed };
  }
}

function pathOf(agentId: string): string {
  return `${acpPrefix}/${encodeURIComponent(agentId)}`;
}
