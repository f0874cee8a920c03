// Between Node's requests and the web's, in which the SDK speaks.
import type { ServerResponse } from 'node:http';
import type { Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { exchangeSignal } from '../../src/exchange-signal.ts';
import { readBytes } from '../../src/json-body.ts';
import { EventStream } from '../../src/sse.ts';
import { wellFormed } from './well-formed.ts';

/** All that the transport says in headers. */
const spoken = ['content-type', 'accept', 'acp-connection-id', 'acp-session-id'];

export interface DecodeOptions {
  readonly maxBodyBytes: number;
  /** Aborted when nobody waits for the answer. */
  readonly signal: AbortSignal;
}

/** @throws Fault `too-large` */
export async function decodeRequest({ request, url }: Exchange, options: DecodeOptions): Promise<Request> {
  const { method = 'GET' } = request;
  const { maxBodyBytes, signal } = options;
  const headers = new Headers();
  for (const name of spoken) {
    const value = request.headers[name];
    if (typeof value === 'string') headers.set(name, value);
  }
  if (method === 'GET') return new Request(url, { method, headers, signal });
  return new Request(url, { method, headers, signal, body: await readBytes(request, maxBodyBytes) });
}

export interface AnswerOptions {
  readonly clock: Clock;
  readonly keepAliveMs: number;
  /** How long a client may leave its stream full. */
  readonly slowViewerMs: number;
  readonly stopping: AbortSignal;
}

/** Resolves when the answer has ended, or its client has gone. */
export async function sendAnswer(answer: Response, response: ServerResponse, options: AnswerOptions): Promise<void> {
  const isStream = answer.headers.get('content-type') === 'text/event-stream';
  if (isStream && answer.body !== null) await sendStream(answer.body, response, options);
  else await sendWhole(answer, response);
}

async function sendWhole(answer: Response, response: ServerResponse): Promise<void> {
  const body = Buffer.from(await answer.arrayBuffer());
  response.writeHead(answer.status, { 'cache-control': 'no-store', ...Object.fromEntries(answer.headers) });
  response.end(body);
}

/** One chunk of the body is asked for when the one before has been taken: what is not read stays with the SDK, which counts it. */
async function sendStream(
  body: ReadableStream<Uint8Array>,
  response: ServerResponse,
  { clock, keepAliveMs, slowViewerMs, stopping }: AnswerOptions,
): Promise<void> {
  using over = exchangeSignal(response, stopping);
  const { signal, abort } = over;
  const reader = body.getReader();
  const leave = (): void => void reader.cancel().catch(() => undefined);
  response.once('close', leave);
  // The body may fail while a write waits for the client.
  reader.closed.catch(abort);
  const stream = new EventStream(response, {
    clock,
    keepAliveMs,
    maxBufferedChars: 0,
    signal,
    maxStallMs: slowViewerMs,
  });
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      // Each holds whole messages.
      stream.add([wellFormed(Buffer.from(read.value).toString())]);
      await stream.flush();
    }
    stream.end();
  } catch {
    // Its end would look like a whole stream.
    stream.cut();
  } finally {
    response.off('close', leave);
  }
}
