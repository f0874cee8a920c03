import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { RunEvent } from '../../schemas/run-event.ts';

export type Scripted = (response: ServerResponse) => void;

export interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers each request with the next line of a script, and keeps what it was asked. */
export class ScriptedServer {
  readonly asked: Asked[] = [];
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, script: Scripted[]) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { method, url, headers } = request;
      this.asked.push({ method, url, headers, body: await text(request) });
      (script.shift() ?? problem(500, { code: 'internal', detail: 'the script is over' }))(response);
    };
    server.on('request', (request, response) => void answer(request, response));
  }

  static async start(script: readonly Scripted[], port = 0): Promise<ScriptedServer> {
    const server = createServer();
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return new ScriptedServer(server, [...script]);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Cuts what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

export function reply(status: number, body?: unknown, headers: Readonly<Record<string, string>> = {}): Scripted {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };
}

export function problem(status: number, said: object, headers: Readonly<Record<string, string>> = {}): Scripted {
  return reply(
    status,
    { type: 'about:blank', status, ...said },
    { 'content-type': 'application/problem+json', ...headers },
  );
}

/** The connection ends without an answer. */
export const cut: Scripted = (response) => void response.socket?.destroy();

/** A body that ends as it should, breaks off after its last byte, or stays open. */
export function stream(pieces: readonly (string | Uint8Array)[], end: 'clean' | 'cut' | 'open' = 'clean'): Scripted {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    for (const piece of pieces) response.write(piece);
    if (end === 'clean') response.end();
    if (end === 'cut') response.socket?.end();
  };
}

export function frameOf(event: Pick<RunEvent, 'seq' | 'type'>): string {
  return `id: log.${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
