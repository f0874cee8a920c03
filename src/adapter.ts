import type { IncomingMessage, ServerResponse } from 'node:http';
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

/** How one protocol speaks at the port. */
export interface Adapter {
  readonly name: string;
  /** The first path segments it answers, each starting with `/`; a request goes to the adapter whose prefix is longest. */
  readonly prefixes: readonly string[];
  /** What to print at start: a line per entry point. */
  readonly entryPoints: readonly { readonly what: string; readonly path: string }[];
  /** The caller that a URL speaks for by itself, a signed link's say; undefined: it does not, and others are asked. */
  recognise?(url: URL): Principal | undefined;
  /** Answers one exchange, whatever it is; its faults in the protocol's own form. Settles when the response has ended. */
  handle(exchange: Exchange): Promise<void>;
  /** The protocol's own answer to what the server refuses before an adapter sees it: no caller, wrong origin, stopping. */
  refuse(fault: unknown, response: ServerResponse): void;
}
