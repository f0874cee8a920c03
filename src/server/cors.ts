// Cross-origin requests: https://fetch.spec.whatwg.org/#http-cors-protocol
import type { IncomingMessage, ServerResponse } from 'node:http';

/** By name for browsers that take the wildcard for a name. */
const exposed = [
  '*',
  'Acp-Connection-Id',
  'Anyport-Stream',
  'Location',
  'Idempotency-Replayed',
  'Retry-After',
  'WWW-Authenticate',
].join(', ');

/**
 * Lets the page at an origin that may call read the answer. Also where it would send cookies, as some clients always do:
 * no caller is recognised by them.
 */
export function admitOrigin(origin: string, response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-expose-headers', exposed);
  response.setHeader('vary', 'origin');
}

/** Whether a browser asks what it may ask. It does so without credentials, so this goes before their check. */
export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

export function answerPreflight({ headers }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE');
  response.setHeader('access-control-max-age', '600');
  const asked = headers['access-control-request-headers'];
  if (asked !== undefined) response.setHeader('access-control-allow-headers', asked);
  // https://wicg.github.io/private-network-access/#cors-preflight
  if (headers['access-control-request-private-network'] === 'true') {
    response.setHeader('access-control-allow-private-network', 'true');
  }
  response.writeHead(204).end();
}
