// What HTTP around the streams needs: paths, methods, kinds of bodies, and answers in JSON.
// https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import type { ServerResponse } from 'node:http';
import type { Exchange } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import { isJson } from '../../src/json-body.ts';
import { decodeSegment } from '../../src/url-path.ts';
import { encodeProblem, encodeRefusal, faultTable } from './faults.ts';

export const agUiPrefix = '/ag-ui';
export const copilotKitPrefix = '/copilotkit';

export function isCopilotKit(pathname: string): boolean {
  return pathname === copilotKitPrefix || pathname.startsWith(`${copilotKitPrefix}/`);
}

/** Whether a client that leaves says something by it: CopilotKit's frontends stop a run by its name. */
export function leavingCounts({ url }: Exchange): boolean {
  return !isCopilotKit(url.pathname);
}

/** What follows a prefix in a path. @throws Fault `invalid-request` */
export function segmentsOf(pathname: string, prefix: string): string[] {
  return pathname
    .slice(prefix.length + 1)
    .split('/')
    .map(decodeSegment);
}

export function nothingAt(pathname: string): Fault {
  return new Fault('not-found', `nothing is served at ${pathname}`);
}

/** Answers every other method itself. */
export function allowMethod({ request, response }: Exchange, method: 'GET' | 'POST'): boolean {
  if (request.method === method) return true;
  response.setHeader('allow', method);
  refuse(new Fault('unsupported', `only ${method} is served here`), response, 405);
  return false;
}

/** Answers every other kind of body itself. */
export function allowJson({ request, response }: Exchange): boolean {
  if (isJson(request.headers['content-type'])) return true;
  refuse(new Fault('invalid-request', 'the body must be application/json'), response, 415);
  return false;
}

/** In the form of whoever asked. `status`: where HTTP has a more exact one than the fault's own (405, 415). */
export function refuse(fault: Fault, response: ServerResponse, status: number = faultTable[fault.code].status): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  if (status === 429 || status === 503) response.setHeader('retry-after', '1');
  // Part of a body that was not read to its end would be taken for the next request.
  if (status === 413) response.setHeader('connection', 'close');
  const { pathname } = new URL(response.req.url ?? '/', 'http://localhost');
  answerJson(response, status, isCopilotKit(pathname) ? encodeRefusal(fault) : encodeProblem(fault, status));
}

/** Stock clients read a problem only from `application/json`. */
export function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
