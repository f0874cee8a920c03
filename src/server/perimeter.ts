import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { Config } from '../../schemas/config.ts';
import { Fault } from '../fault.ts';

/** Where the gateway listens, and by which names and from which pages it may be called. */
export type Surroundings = Pick<Config, 'host' | 'publicUrl' | 'allowedHosts' | 'allowedOrigins'>;

/**
 * Keeps web pages out that were not invited: a page elsewhere that calls this machine (its Origin says so), and one that
 * made its own name point here (DNS rebinding; the Host says so).
 */
export class Perimeter {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #isReachable: boolean;

  constructor({ host, publicUrl, allowedHosts, allowedOrigins }: Surroundings) {
    const publicAt = publicUrl === undefined ? [] : [new URL(publicUrl)];
    this.#hosts = new Set([host, ...allowedHosts, ...publicAt.map((url) => url.hostname)].map(bareName));
    this.#origins = new Set([...allowedOrigins, ...publicAt.map((url) => url.origin)]);
    this.#isReachable = !isLoopback(host);
  }

  /** @throws Fault `forbidden` */
  check(hostname: string, headers: IncomingHttpHeaders): void {
    if (!this.#allowsHost(bareName(hostname))) {
      throw new Fault('forbidden', `this gateway is not called ${hostname}; see allowedHosts in its configuration`);
    }
    const { origin } = headers;
    if (origin !== undefined && !this.#allowsOrigin(origin)) {
      throw new Fault(
        'forbidden',
        `pages of ${origin} may not call; see allowedOrigins in the gateway’s configuration`,
      );
    }
  }

  #allowsHost(name: string): boolean {
    if (isLoopback(name) || this.#hosts.has(name)) return true;
    // An address cannot be rebound. Probes and neighbours use it when the gateway listens for more than this machine.
    return this.#isReachable && isIP(name) !== 0;
  }

  #allowsOrigin(origin: string): boolean {
    if (this.#origins.has(origin)) return true;
    return URL.canParse(origin) && isLoopback(bareName(new URL(origin).hostname));
  }
}

/** @throws Fault `config-invalid`: others could reach the host that stands at `path`, and nobody is asked who they are */
export function refuseToBeOpen(
  { host, tokens, allowUnauthenticated }: Pick<Config, 'host' | 'tokens' | 'allowUnauthenticated'>,
  path = 'host',
): void {
  if (isLoopback(host) || tokens.length > 0 || allowUnauthenticated) return;
  const remedy = 'add tokens, or set allowUnauthenticated to let everyone in';
  throw new Fault('config-invalid', `${path}: others can reach ${host}, and there are no tokens; ${remedy}`, { path });
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function bareName(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
