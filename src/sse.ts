// Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
import type { ServerResponse } from 'node:http';
import type { Clock } from './clock.ts';

/** Compression would hold frames back, hence `no-transform`. */
const headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

export interface EventStreamOptions {
  readonly clock: Clock;
  /** Silence after which a comment is written. */
  readonly keepAliveMs: number;
  /** Frames that may gather before they must be flushed. */
  readonly maxBufferedChars: number;
  /** Ends every wait for a client that does not read. */
  readonly signal: AbortSignal;
  /** A client whose socket stays full for longer is cut off; undefined: it is waited for. */
  readonly maxStallMs?: number | undefined;
}

/**
 * Writes frames to one client. Frames gather until they are flushed as one write; a flush resolves when the client's
 * socket takes more. It begins when constructed, writes, and is ended or cut once.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #options: EventStreamOptions;
  #buffered = '';
  #lastWriteMs: number;
  #cancelKeepAlive: () => void;

  constructor(response: ServerResponse, options: EventStreamOptions) {
    this.#response = response;
    this.#options = options;
    this.#lastWriteMs = options.clock.now();
    response.writeHead(200, headers);
    response.flushHeaders();
    this.#cancelKeepAlive = this.#armKeepAlive();
  }

  /** Whether so much has gathered that it must be flushed before more is added. */
  get isFull(): boolean {
    return this.#buffered.length >= this.#options.maxBufferedChars;
  }

  add(frames: readonly string[]): void {
    for (const frame of frames) this.#buffered += frame;
  }

  /** Resolves with how long the socket was full, in ms. */
  async flush(): Promise<number> {
    if (this.#buffered === '') return 0;
    const text = this.#buffered;
    this.#buffered = '';
    const { clock, maxStallMs } = this.#options;
    const writtenMs = (this.#lastWriteMs = clock.now());
    if (this.#response.write(text)) return 0;
    const cancel =
      maxStallMs === undefined ? undefined : clock.at(writtenMs + maxStallMs, () => this.#response.destroy());
    await this.#drained();
    cancel?.();
    return clock.now() - writtenMs;
  }

  /** Writes what has gathered and closes the body. */
  end(): void {
    this.#cancelKeepAlive();
    this.#response.end(this.#buffered);
    this.#buffered = '';
  }

  /** Closes the connection, so that the client does not take what it has for all. */
  cut(): void {
    this.#cancelKeepAlive();
    this.#response.destroy();
  }

  #drained(): Promise<void> {
    const { signal } = this.#options;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#response.off('drain', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#response.once('drain', done);
      signal.addEventListener('abort', done);
    });
  }

  #armKeepAlive(): () => void {
    const { clock, keepAliveMs } = this.#options;
    return clock.at(this.#lastWriteMs + keepAliveMs, () => {
      const isSilent = clock.now() - this.#lastWriteMs >= keepAliveMs;
      if (isSilent && !this.#response.writableNeedDrain) this.#response.write(': keep-alive\n\n');
      if (isSilent) this.#lastWriteMs = clock.now();
      this.#cancelKeepAlive = this.#armKeepAlive();
    });
  }
}
