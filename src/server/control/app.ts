import type { IncomingMessage } from 'node:http';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import type { Exchange } from '../../adapter.ts';
import { Fault } from '../../fault.ts';
import { answerProblem, HttpFault, type OwnStatuses } from '../../problem.ts';
import { decodeCall } from './decode-call.ts';
import type { Endpoint, Reply, Services } from './endpoint.ts';

export interface ControlAppParts {
  readonly endpoints: readonly Endpoint[];
  readonly services: Services;
  readonly maxBodyBytes: number;
  /** The exchange that a request is part of. */
  readonly exchangeOf: (request: IncomingMessage) => Exchange;
}

/** Serves a table of endpoints. */
export function controlApp(parts: ControlAppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', false);
  for (const [path, endpoints] of byPath(parts.endpoints)) {
    const route = app.route(path.replaceAll(/\{(\w+)\}/g, ':$1'));
    for (const endpoint of endpoints) {
      route[endpoint.method]((request, response) => serve(parts, endpoint, request, response));
    }
    const allowed = endpoints.map(({ method }) => (method === 'get' ? 'GET, HEAD' : method.toUpperCase())).join(', ');
    route.all((request, response) => {
      response.setHeader('allow', allowed);
      refuse(parts, request, response, new HttpFault(405, 'unsupported', `only ${allowed} are served here`));
    });
  }
  app.use((request, response) => {
    refuse(parts, request, response, new Fault('not-found', `nothing is served at ${request.path}`));
  });
  const answerThrown: ErrorRequestHandler = (thrown: unknown, request, response, _next) => {
    const isBadPath = thrown instanceof URIError;
    const fault = isBadPath ? new Fault('invalid-request', 'the path is not well encoded', { cause: thrown }) : thrown;
    refuse(parts, request, response, fault);
  };
  app.use(answerThrown);
  return app;
}

function byPath(endpoints: readonly Endpoint[]): ReadonlyMap<string, readonly Endpoint[]> {
  const paths = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const known = paths.get(endpoint.path);
    if (known === undefined) paths.set(endpoint.path, [endpoint]);
    else known.push(endpoint);
  }
  return paths;
}

async function serve(parts: ControlAppParts, endpoint: Endpoint, request: Request, response: Response): Promise<void> {
  const { services, maxBodyBytes, exchangeOf } = parts;
  const { url, principal, log } = exchangeOf(request);
  try {
    const asked = { request, params: request.params, query: url.searchParams };
    const decoded = await decodeCall(endpoint, asked, maxBodyBytes);
    const caller = { ...principal, door: 'control', origin: 'user' } as const;
    const reply = await endpoint.handle({ ...services, ...decoded, caller, request, response, log });
    if ('write' in reply) await reply.write();
    else send(endpoint, reply, response);
  } catch (thrown) {
    refuse(parts, request, response, thrown, endpoint.statuses);
  }
}

function send(endpoint: Endpoint, reply: Exclude<Reply, { write: unknown }>, response: Response): void {
  const { status, headers } = reply;
  if ('body' in reply) {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
    response.end(JSON.stringify(reply.body));
  } else {
    const type = endpoint.answers[200]?.type;
    response.writeHead(status, { ...(type !== undefined && { 'content-type': type }), ...headers });
    response.end(reply.text);
  }
}

function refuse(
  { exchangeOf }: ControlAppParts,
  request: Request,
  response: Response,
  thrown: unknown,
  own?: OwnStatuses,
): void {
  // A client that leaves while it sends its body ends nothing but this exchange.
  if (request.destroyed && !request.complete) return;
  const fault = Fault.from(thrown);
  if (fault.code === 'internal') {
    exchangeOf(request).log.error({ cause: fault.cause ?? fault }, 'a request of the control API failed');
  }
  if (response.headersSent) response.end();
  else answerProblem(fault, response, own);
}
