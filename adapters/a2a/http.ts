import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { ExtensionSupportRequiredError } from '@a2a-js/sdk/errors';
import type { AgentCard } from '@a2a-js/sdk';

/** What carries headers: a request of HTTP, or what another binding has in their place. */
interface Headed {
  readonly headers: IncomingHttpHeaders;
}

export function headerOf(request: Headed, name: string): string | undefined {
  const value = [request.headers[name]].flat()[0];
  return value === undefined || value === '' ? undefined : value;
}

/** The URIs of a comma list. https://a2a-protocol.org/v1.0.1/specification/#326-service-parameters */
export function extensionsOf(request: Headed): string[] {
  const said = headerOf(request, 'a2a-extensions') ?? headerOf(request, 'x-a2a-extensions') ?? '';
  return said
    .split(',')
    .map((uri) => uri.trim())
    .filter((uri) => uri !== '');
}

/** What both sides have; unknown ones mean nothing. @throws the SDK's ExtensionSupportRequired */
export function activate(requested: readonly string[], card: AgentCard): string[] {
  const offered = card.capabilities?.extensions ?? [];
  const missing = offered.filter(({ uri, required }) => required && !requested.includes(uri));
  if (missing.length > 0) {
    const uris = missing.map(({ uri }) => uri).join(', ');
    throw new ExtensionSupportRequiredError(`the agent needs its callers to support ${uris}`);
  }
  return offered.map(({ uri }) => uri).filter((uri) => requested.includes(uri));
}

export interface AnswerOptions {
  readonly status: number;
  readonly body: object | undefined;
  readonly contentType: string;
}

export function answer(response: ServerResponse, { status, body, contentType }: AnswerOptions): void {
  if (status === 429 || status === 503) response.setHeader('retry-after', '1');
  // Part of a body that was not read to its end would be taken for the next request.
  if (status === 413) response.setHeader('connection', 'close');
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { 'cache-control': 'no-store', ...(body === undefined ? {} : { 'content-type': contentType }) };
  response.writeHead(status, headers);
  response.end(text);
}
