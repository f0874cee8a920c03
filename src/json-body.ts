import type { IncomingMessage } from 'node:http';
import { Fault } from './fault.ts';

/** What a `Content-Type` says without its parameters; empty where there is none. */
export function mediaTypeOf(contentType: string | undefined): string {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Whether a `Content-Type` says JSON. */
export function isJson(contentType: string | undefined): boolean {
  return mediaTypeOf(contentType) === 'application/json';
}

/** Whether a request has a body: one without it has neither header. https://www.rfc-editor.org/rfc/rfc9112#section-6 */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Making one costs more than all it does for a short body. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The body of a request as JSON. @throws Fault `too-large`, `invalid-request` */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const bytes = await readBytes(request, maxBytes);
  try {
    return JSON.parse(utf8.decode(bytes)) as unknown;
  } catch (cause) {
    throw new Fault('invalid-request', 'the body is not JSON in UTF-8', { path: '$', cause });
  }
}

/** The body of a request as it came. @throws Fault `too-large` */
export async function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): Fault => new Fault('too-large', `the body is larger than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // The connection outlives a refused body: it carries the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Levels of objects and lists in what a caller sends. Everything that walks through it later may be recursive. */
export const maxJsonDepth = 128;

export function isTooDeep(value: unknown, levels = maxJsonDepth): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isTooDeep(inner, levels - 1));
}
