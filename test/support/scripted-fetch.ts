import type { Fetch } from '../../adapters/ag-ui/client/index.ts';

/** How a request is answered; a promise that rejects is a connection that was refused. */
export type ScriptedAnswer = (request: Requested) => Response | Promise<Response>;

export interface Requested {
  readonly url: string;
  readonly method: string | undefined;
  readonly headers: Headers;
  readonly init: RequestInit;
}

/** Answers each request with the next line of a script, and keeps what it was asked; beyond the script it refuses. */
export class ScriptedFetch {
  readonly asked: Requested[] = [];
  readonly #script: ScriptedAnswer[];

  constructor(script: readonly ScriptedAnswer[]) {
    this.#script = [...script];
  }

  readonly fetch: Fetch = async (url, init) => {
    init.signal?.throwIfAborted();
    const request = { url, method: init.method, headers: new Headers(init.headers), init };
    this.asked.push(request);
    return await (this.#script.shift() ?? refused)(request);
  };
}

export async function refused(): Promise<never> {
  throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') });
}

/** A stream that brings these pieces and then ends, breaks off or stays open until its request is aborted. */
export function streamed(
  pieces: readonly (string | Uint8Array)[],
  end: 'clean' | 'cut' | 'open' = 'clean',
  headers: Readonly<Record<string, string>> = { 'anyport-stream': '/ag-ui/threads/t/stream' },
): ScriptedAnswer {
  return ({ init: { signal } }) => {
    const rest = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        signal?.addEventListener('abort', () => {
          controller.error(signal.reason);
        });
      },
      async pull(controller) {
        const next = rest.shift();
        if (next !== undefined) controller.enqueue(next);
        else if (end === 'clean') controller.close();
        else if (end === 'cut') controller.error(new TypeError('terminated'));
        else await new Promise(() => undefined);
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream', ...headers } });
  };
}
