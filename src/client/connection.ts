import type { Clock } from '../clock.ts';
import { Fault } from '../fault.ts';
import { type Backoff, pause, waitAfter } from './backoff.ts';
import { decodeProblem, Unreachable } from './problem.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Segments below `/v1`, as they are: they are escaped here. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sending it twice does what sending it once does, so it may be sent again when its answer is lost. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly token: string | undefined;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly clock: Clock;
  /** Of calls that have none of their own. */
  readonly signal: AbortSignal | undefined;
}

/** Where the gateway is and who calls it; every request passes through here. */
export class Connection {
  readonly clock: Clock;
  readonly #base: URL;
  readonly #options: ConnectionOptions;

  /** @throws Fault `config-invalid` */
  constructor(options: ConnectionOptions) {
    const { url, token, clock } = options;
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new Fault('config-invalid', `${url} is not a URL that starts with http:// or https://`);
    }
    if (token !== undefined && !/^[!-~]+$/.test(token)) {
      throw new Fault('config-invalid', 'the token has characters that no header can carry');
    }
    this.clock = clock;
    this.#base = new URL('v1/', url.endsWith('/') ? url : `${url}/`);
    this.#options = options;
  }

  /** Sends a request until it is answered, and reads the answer. @throws Fault */
  async request<Reply>(call: Call, backoff: Backoff): Promise<Reply> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#read(await this.open(call), call)) as Reply;
      } catch (thrown) {
        const waitMs = waitAfter(thrown, { attempt, backoff, repeatable: call.repeatable });
        if (waitMs === undefined) throw thrown;
        await pause(this.clock, waitMs, call.signal ?? this.#options.signal);
      }
    }
  }

  /** Sends a request once. Resolves with a success whose body is not read yet. @throws Fault */
  async open({ method, path, query, body, headers, signal = this.#options.signal }: Call): Promise<Response> {
    const url = new URL(path.map(encodeSegment).join('/'), this.#base);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const { token } = this.#options;
    return this.#unlessCut(signal, async () => {
      const response = await this.#options.fetch(url.href, {
        method,
        headers: {
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal !== undefined && { signal }),
      });
      if (!response.ok) throw await decodeProblem(response);
      return response;
    });
  }

  async #read(response: Response, { signal = this.#options.signal }: Call): Promise<unknown> {
    const text = await this.#unlessCut(signal, () => response.text());
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new Fault('internal', `${this.#base.href} does not answer as a gateway does`, { cause });
    }
  }

  /** What breaks here and is neither said by the gateway nor wanted by the caller is the connection. */
  async #unlessCut<Value>(signal: AbortSignal | undefined, exchange: () => Promise<Value>): Promise<Value> {
    try {
      return await exchange();
    } catch (thrown) {
      signal?.throwIfAborted();
      throw thrown instanceof Fault ? thrown : this.unreachable(thrown);
    }
  }

  unreachable(cause: unknown): Unreachable {
    return new Unreachable(this.#options.url, cause);
  }
}

/** URLs resolve dots and drop what is empty, escaped or not, and cannot say half a surrogate pair. */
function encodeSegment(name: string): string {
  if (/^\.{0,2}$|\p{Cs}/u.test(name)) throw new Fault('invalid-request', `“${name}” cannot be named in a URL`);
  return encodeURIComponent(name);
}
