// ACP over WebSocket: a text frame is a message. https://agentclientprotocol.com/rfds/streamable-http-websocket-transport
import type { IncomingMessage } from 'node:http';
import type { AcpServer, PreparedWebSocketUpgrade } from '@agentclientprotocol/sdk/experimental/server';
import type { WebSocket, WebSocketServer } from 'ws';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Upgrade } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { ConnectionSlots } from './connection-slots.ts';
import type { ConnectedFrom, DoorConnection } from './door.ts';
import { watchPresence } from './presence.ts';
import { SdkSocket } from './sdk-socket.ts';

export interface WebSocketLimits {
  readonly maxBodyBytes: number;
  /** How often a client is asked whether it is there, and how long it may take to say so. */
  readonly pingMs: number;
  /** How long a client may take to initialize. */
  readonly initializeMs: number;
  /** How long a client may take to answer a close. */
  readonly closeMs: number;
}

export interface WebSocketTransportParts {
  readonly sdk: AcpServer;
  readonly connect: (from: ConnectedFrom) => DoorConnection;
  readonly slots: ConnectionSlots;
  readonly clock: Clock;
  readonly limits: WebSocketLimits;
  readonly stopping: AbortSignal;
}

const subprotocol = 'acp';
const tokenPrefix = 'anyport.token.';
/** Says on the handshake how long a message may be: a longer one is answered by the end of the connection. */
export const maxMessageHeader = 'anyport-max-message-bytes';

/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const normalClosure = 1000;
const goingAway = 1001;
const policyViolation = 1008;

/** The bearer token that a client offers as a subprotocol, in base64url: browsers can set no other header. */
export function tokenOffered({ headers }: IncomingMessage): string | undefined {
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
  const token = offered.find((name) => name.startsWith(tokenPrefix))?.slice(tokenPrefix.length);
  return token === undefined ? undefined : Buffer.from(token, 'base64url').toString();
}

/** Clients over WebSocket. A connection lasts as long as its socket. */
export class WebSocketTransport {
  readonly #parts: WebSocketTransportParts;
  readonly #webSockets: WebSocketServer;
  readonly #connectionIds = new WeakMap<IncomingMessage, string>();
  readonly #complaints = new WeakMap<IncomingMessage, string>();

  private constructor(parts: WebSocketTransportParts, webSockets: WebSocketServer) {
    this.#parts = parts;
    this.#webSockets = webSockets;
    webSockets.on('headers', (headers, request) => {
      headers.push(`Acp-Connection-Id: ${this.#connectionIds.get(request) ?? ''}`);
      headers.push(`${maxMessageHeader}: ${parts.limits.maxBodyBytes}`);
    });
    webSockets.on('wsClientError', (...[error, , request]) => {
      this.#complaints.set(request, error.message);
    });
  }

  static async open(parts: WebSocketTransportParts): Promise<WebSocketTransport> {
    const { maxBodyBytes: maxPayload, closeMs: closeTimeout } = parts.limits;
    const { WebSocketServer } = await import('ws');
    // What a token was offered in is never echoed.
    const handleProtocols = (offered: ReadonlySet<string>): string | false => offered.has(subprotocol) && subprotocol;
    const options = { noServer: true, clientTracking: false, maxPayload, closeTimeout, handleProtocols };
    return new WebSocketTransport(parts, new WebSocketServer(options));
  }

  /** Takes the connection over. @throws Fault before anything is written */
  upgrade(upgrade: Upgrade, agent: AgentCard): void {
    const { principal, log, socket } = upgrade;
    const { sdk, connect, slots, clock, limits, stopping } = this.#parts;
    if (socket.destroyed) return;
    socket.once('close', slots.take(principal));
    const opened = connect({ principal, agent, log });
    const prepared = sdk.prepareWebSocketUpgrade({ createAgent: () => opened });
    const webSocket = this.#shakeHands(upgrade, prepared);
    if (webSocket === undefined) return;
    watchPresence(webSocket, clock, limits.pingMs);
    prepared.accept(new SdkSocket(webSocket, () => (stopping.aborted ? goingAway : normalClosure)));
    opened.expectInitialize(clock, limits.initializeMs, () => {
      webSocket.close(policyViolation, 'initialize comes first');
    });
  }

  /** Undefined: the client has gone. @throws Fault `invalid-request` */
  #shakeHands({ request, socket, head }: Upgrade, prepared: PreparedWebSocketUpgrade): WebSocket | undefined {
    const shaken: WebSocket[] = [];
    this.#connectionIds.set(request, prepared.connectionId);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => shaken.push(webSocket));
    if (shaken.length === 0) prepared.reject();
    const complaint = this.#complaints.get(request);
    if (complaint !== undefined) throw new Fault('invalid-request', complaint);
    return shaken[0];
  }
}
