// Streams that outlive their connections: Anyport tags the frames of a stream with ids, and goes on after one it is given.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header
import { beforeSilence, eventOf, idOf, readFrames } from './frames.ts';
import { streamHeader } from './stream-header.ts';

/** How AG-UI clients make a request. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ResumableFetchOptions {
  /** Makes the requests. The global `fetch` if not given. */
  readonly fetch?: Fetch | undefined;
  /** How long it tries to go on, since a connection last brought something. 2 minutes if not given. */
  readonly giveUpAfterMs?: number | undefined;
  /** It waits up to this long before it tries, at random, and up to twice as long each further time. 250 ms if not given. */
  readonly firstWaitMs?: number | undefined;
  /** It waits no longer than this. 5 s if not given. */
  readonly longestWaitMs?: number | undefined;
  /** A connection that brings nothing for so long is taken for cut: Anyport speaks at least every 15 s. 45 s if not given. */
  readonly silenceMs?: number | undefined;
}

/**
 * A `fetch` whose streams from Anyport outlive their connections: their reader sees one body, over cuts and restarts of
 * the gateway. One that cannot be gone on with ends with a RUN_ERROR, of the gateway's own code or `DISCONNECTED`: the run
 * is not affected. Everybody else's answers are as they are, and so is aborting.
 */
export function resumableFetch(options: ResumableFetchOptions = {}): Fetch {
  const terms = termsOf(options);
  return async (url, init) => {
    const response = await terms.fetch(url, init);
    const streamUrl = streamOf(response, url);
    if (streamUrl === undefined || response.body === null) return response;
    const { status, statusText, headers } = response;
    const splice = new Splice({ url, init, streamUrl }, terms);
    return new Response(splice.open(response.body), { status, statusText, headers });
  };
}

type Terms = { readonly [Name in keyof ResumableFetchOptions]-?: NonNullable<ResumableFetchOptions[Name]> };

function termsOf(options: ResumableFetchOptions): Terms {
  return {
    // A browser's must be called without a receiver.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    giveUpAfterMs: options.giveUpAfterMs ?? 120_000,
    firstWaitMs: options.firstWaitMs ?? 250,
    longestWaitMs: options.longestWaitMs ?? 5_000,
    silenceMs: options.silenceMs ?? 45_000,
  };
}

/** Where an answer can be gone on with: at its own host, as its request's credentials go there. */
function streamOf(response: Response, url: string): string | undefined {
  const path = response.headers.get(streamHeader);
  const at = response.url === '' ? url : response.url;
  if (path === null || !response.ok || !URL.canParse(at)) return undefined;
  const from = new URL(at);
  const to = new URL(path, from);
  return to.origin === from.origin ? to.href : undefined;
}

interface Request {
  readonly url: string;
  readonly init: RequestInit;
  readonly streamUrl: string;
}

/** How a stream goes on after a cut. */
type Next =
  | { readonly is: 'open'; readonly body: ReadableStream<Uint8Array> }
  /** All of it was told already. */
  | { readonly is: 'over' }
  /** It does not, and this frame says why. */
  | { readonly is: 'refused'; readonly why: string };

/**
 * One body out of as many as it takes. Frames are handed on whole, and up to the last one that has an id, so that a
 * connection begins exactly where the one before it was left. It ends with the stream's terminal event; what is without an
 * id is not the stream's but its connection's, like the words with which a gateway stops.
 */
class Splice {
  readonly #request: Request;
  readonly #terms: Terms;
  readonly #left = new AbortController();
  readonly #signal: AbortSignal;
  /** The last frame with an id. */
  #last: string | undefined;
  /** What came after it. */
  #loose: readonly string[] = [];
  /** Requests since a connection last brought something, and when the first of them was. */
  #attempts = 0;
  #failingSinceMs = 0;

  constructor(request: Request, terms: Terms) {
    const { signal } = request.init;
    this.#request = request;
    this.#terms = terms;
    this.#signal = AbortSignal.any(signal == null ? [this.#left.signal] : [this.#left.signal, signal]);
  }

  open(first: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const pieces = this.#run(first);
    const encoder = new TextEncoder();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      cancel: async () => {
        this.#left.abort();
        await pieces.return();
      },
    });
  }

  async *#run(first: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
    for (let body: ReadableStream<Uint8Array> | undefined = first; body !== undefined;) {
      yield* this.#handOn(body);
      if (this.#last !== undefined && isTerminal(this.#last)) return;
      const words = this.#loose.find(isTerminal);
      const next: Next = words === undefined || mayPass(words) ? await this.#goOn() : { is: 'refused', why: words };
      if (next.is === 'refused') yield words ?? next.why;
      body = next.is === 'open' ? next.body : undefined;
    }
  }

  /** Hands on what one connection brings, however it ends. */
  async *#handOn(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
    const { silenceMs } = this.#terms;
    this.#loose = [];
    try {
      for await (const frames of readFrames(body, { silenceMs, signal: this.#signal })) {
        const told = [...this.#loose, ...frames.filter((frame) => !isComment(frame))];
        const places = told.findLastIndex((frame) => idOf(frame) !== undefined) + 1;
        this.#loose = told.slice(places);
        if (places > 0 || frames.some(isComment)) this.#attempts = 0;
        if (places === 0) continue;
        this.#last = told[places - 1];
        yield told.slice(0, places).join('');
      }
    } catch {
      this.#signal.throwIfAborted();
    }
  }

  async #goOn(): Promise<Next> {
    const { firstWaitMs, longestWaitMs, giveUpAfterMs } = this.#terms;
    if (this.#attempts === 0) this.#failingSinceMs = Date.now();
    for (;;) {
      const waitMs = Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** this.#attempts);
      if (Date.now() + waitMs - this.#failingSinceMs > giveUpAfterMs) return unreachable();
      await pause(waitMs, this.#signal);
      this.#attempts += 1;
      const response = await this.#ask();
      if (response === undefined) continue;
      const { status, ok, headers, body } = response;
      if (status === 204) return { is: 'over' };
      if (ok && headers.has(streamHeader) && body !== null) return { is: 'open', body };
      if (isFinal(status)) return await refusalOf(response);
      await body?.cancel();
    }
  }

  /** Undefined: nobody answers. */
  async #ask(): Promise<Response | undefined> {
    const { fetch, silenceMs } = this.#terms;
    const asking = new AbortController();
    const { url, init } = this.#nextRequest(AbortSignal.any([this.#signal, asking.signal]));
    try {
      return await beforeSilence(fetch(url, init), { silenceMs, signal: this.#signal });
    } catch (thrown) {
      asking.abort(thrown);
      this.#signal.throwIfAborted();
      return undefined;
    }
  }

  #nextRequest(signal: AbortSignal): Pick<Request, 'url' | 'init'> {
    const { url, init, streamUrl } = this.#request;
    const after = this.#last === undefined ? undefined : idOf(this.#last);
    // With nothing told yet, the request itself is made again: Anyport knows it by its run's id.
    if (after === undefined) return { url, init: { ...init, signal } };
    const { body: _, ...rest } = init;
    const headers = new Headers(init.headers);
    headers.delete('content-type');
    headers.set('last-event-id', after);
    return { url: streamUrl, init: { ...rest, method: 'GET', headers: Object.fromEntries(headers), signal } };
  }
}

function isComment(frame: string): boolean {
  return frame.startsWith(':');
}

function isTerminal(frame: string): boolean {
  const type = eventOf(frame)?.['type'];
  return type === 'RUN_FINISHED' || type === 'RUN_ERROR';
}

/** Whether a connection ended for a reason of its own. */
function mayPass(words: string): boolean {
  const { anyport } = (eventOf(words)?.['metadata'] ?? {}) as { readonly anyport?: { readonly retryable?: boolean } };
  return anyport?.retryable === true;
}

/** Whether the same answer would come again. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

const disconnected = 'DISCONNECTED';

function unreachable(): Next {
  return refuse(disconnected, 'the gateway cannot be reached; the run is not affected');
}

async function refusalOf(response: Response): Promise<Next> {
  const text = await response.text().catch(() => '');
  try {
    const { code, detail } = JSON.parse(text) as { readonly code: string; readonly detail: string };
    return refuse(code, detail);
  } catch {
    return refuse(disconnected, `HTTP ${response.status}: ${text}`);
  }
}

function refuse(code: string, message: string): Next {
  return { is: 'refused', why: `data: ${JSON.stringify({ type: 'RUN_ERROR', message, code })}\n\n` };
}

/** @throws the signal's reason */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
