import * as z from 'zod';
import { docsPage } from './docs-page.ts';
import { type Endpoint, endpoint, reply } from './endpoint.ts';
import { type OpenApiDocument, openApiOf } from './openapi.ts';

const tag = 'Documentation';

/** Endpoints with those that describe them all, themselves included. */
export function documented(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const all: Endpoint[] = [...endpoints];
  let document: OpenApiDocument | undefined;
  let page: string | undefined;
  const describe = (): OpenApiDocument => (document ??= openApiOf(all));
  all.push(
    endpoint({
      method: 'get',
      path: '/v1/openapi.json',
      operationId: 'getOpenApi',
      tag,
      summary: 'Describes this API for programs, as OpenAPI 3.1.',
      answers: { 200: { what: 'The document.', body: z.looseObject({ openapi: z.string() }) } },
      async handle() {
        return reply(200, { ...describe() });
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/docs',
      operationId: 'readDocs',
      tag,
      summary: 'Describes this API for people.',
      answers: { 200: { what: 'A page that loads nothing else.', type: 'text/html; charset=utf-8' } },
      async handle() {
        return { status: 200 as const, headers: pageHeaders, text: (page ??= docsPage(describe())) };
      },
    }),
  );
  return all;
}

const pageHeaders = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};
