import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Principal } from '../schemas/id.ts';
import type { Log } from './log.ts';

export type { Log } from './log.ts';

/** One HTTP exchange, after the server has recognised its caller and checked its origin. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly principal: Principal;
  readonly log: Log;
}

/** A WebSocket handshake, after the same checks as an exchange. https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1 */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What has come behind the handshake already. */
  readonly head: Buffer;
  readonly url: URL;
  readonly principal: Principal;
  readonly log: Log;
}

/** What a request says of its caller: who it is, or the token by which it is known. */
export type Credentials = { readonly principal: Principal } | { readonly token: string };

/** How one protocol speaks at the port. */
export interface Adapter {
  readonly name: string;
  /** The first path segments it answers, each starting with `/`; a request goes to the adapter whose prefix is longest. */
  readonly prefixes: readonly string[];
  /** What to print at start: a line per entry point. */
  readonly entryPoints: readonly { readonly what: string; readonly path: string }[];
  /**
   * Credentials where the protocol carries them outside of the `Authorization` header, in a signed link say; undefined:
   * there are none, and the header is looked at. Asked once for each request. @throws Fault `unauthenticated`
   */
  recognise?(request: IncomingMessage, url: URL): Credentials | undefined;
  /** Answers one exchange, whatever it is; its faults in the protocol's own form. Settles when the response has ended. */
  handle(exchange: Exchange): Promise<void>;
  /**
   * Takes a connection over, or throws before it has written anything. Where it is missing, handshakes are answered like
   * any other request.
   */
  upgrade?(upgrade: Upgrade): Promise<void>;
  /** The protocol's own answer to what the server refuses before an adapter sees it: no caller, wrong origin, stopping. */
  refuse(fault: unknown, response: ServerResponse): void;
}

/** What speaks on connections to a port of its own, where a protocol cannot share the one of all others. */
export interface ConnectionHandler {
  /** Serves a connection until it ends. It is plain here: whoever has the port has opened its TLS. */
  take(connection: Duplex): void;
  /** Takes no more calls on any connection; resolves when those that are under way have ended. */
  drain(): Promise<void>;
  /** Cuts off what is left. */
  destroy(): void;
}
