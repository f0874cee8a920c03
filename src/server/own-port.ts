import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Config } from '../../schemas/config.ts';
import type { ConnectionHandler, Log } from '../adapter.ts';
import type { Clock } from '../clock.ts';
import { deferred } from '../deferred.ts';
import { Fault } from '../fault.ts';
import { listen } from './listening.ts';
import { isLoopback, refuseToBeOpen } from './perimeter.ts';

export interface OwnPortParts {
  /** Where its section stands in the configuration. */
  readonly path: string;
  readonly port: number;
  readonly host: string;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Serves others than this machine without TLS. */
  readonly insecure: boolean;
  readonly settings: Pick<Config, 'tokens' | 'allowUnauthenticated' | 'limits'>;
  readonly handler: ConnectionHandler;
  readonly clock: Clock;
  readonly log: Log;
}

/** A port beside the one of all others, for a protocol that cannot share it. It listens from `listen` to `close`. */
export class OwnPort {
  readonly #parts: OwnPortParts;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(parts: OwnPortParts, server: Server) {
    this.#parts = parts;
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** @throws Fault `config-invalid`: it would be open, or overheard, or its certificate cannot be used */
  static async create(parts: OwnPortParts): Promise<OwnPort> {
    const { path, host, tls, insecure, settings, handler, log } = parts;
    refuseToBeOpen({ ...settings, host }, `${path}.host`);
    if (tls === undefined && !insecure && !isLoopback(host)) {
      const remedy = `name a certificate in ${path}.tls, or set ${path}.insecure where a proxy has one`;
      throw new Fault('config-invalid', `${path}.host: others can reach ${host}, and there is no TLS; ${remedy}`, {
        path: `${path}.host`,
      });
    }
    const take = (socket: Socket): void => {
      handler.take(socket);
    };
    const server = tls === undefined ? createServer(take) : await secureServer(parts, tls, take);
    const { maxConnections } = settings.limits;
    server.maxConnections = maxConnections;
    server.on('drop', () => {
      log.warn({ maxConnections, port: path }, 'a connection was dropped: there are too many');
    });
    return new OwnPort(parts, server);
  }

  /** Resolves with the port when it listens. @throws Fault with what is in the way */
  async listen(): Promise<number> {
    const { host, port, path, log } = this.#parts;
    const settings = { host: `${path}.host`, port: `${path}.port` };
    const listening = await listen(this.#server, { host, port, settings });
    this.#server.on('error', (error) => {
      log.error({ error, port: path }, 'a connection could not be taken');
    });
    return listening;
  }

  /** Listens no more, and resolves when all calls have ended. What is left at the end of the grace is cut off. */
  async close(): Promise<void> {
    const { handler, clock, settings } = this.#parts;
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    const grace = deferred();
    const cancel = clock.at(clock.now() + settings.limits.shutdownGraceMs, grace.resolve);
    await Promise.race([handler.drain(), grace.promise]);
    cancel();
    handler.destroy();
    // Those that never said anything are nobody's yet.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

async function secureServer(
  { path, settings }: OwnPortParts,
  { certFile, keyFile }: NonNullable<OwnPortParts['tls']>,
  take: (socket: Socket) => void,
): Promise<Server> {
  const cert = await readPem(certFile, `${path}.tls.certFile`);
  const key = await readPem(keyFile, `${path}.tls.keyFile`);
  try {
    const { headersTimeoutMs: handshakeTimeout } = settings.limits;
    return createTlsServer({ cert, key, ALPNProtocols: ['h2'], handshakeTimeout }, take);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault('config-invalid', `${path}.tls: the certificate cannot be used: ${why}`, {
      path: `${path}.tls`,
      cause,
    });
  }
}

async function readPem(file: string, path: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw new Fault('config-invalid', `${path}: ${file} cannot be read (${code})`, { path, cause });
  }
}
