// A pair of web streams of message objects, as the SDK's transports hand it out (`Stream` of @agentclientprotocol/sdk).
import { Fault } from '../../src/fault.ts';
import type { Channel, Receiver } from './channel.ts';

export interface MessageStreamOptions {
  readonly readable: ReadableStream<unknown>;
  readonly writable: WritableStream<unknown>;
  /** How many may wait to be taken before the other side is given up. Default 65 536. */
  readonly maxUntakenMessages?: number | undefined;
}

/** `open` until one of the streams ends or breaks, or `close` is called; it holds both locks, and ends both then. */
export class MessageStreamChannel implements Channel {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #writer: WritableStreamDefaultWriter<unknown>;
  readonly #maxUntakenMessages: number;
  #state: 'open' | 'closed' = 'open';
  #receiver: Receiver | undefined;
  #untakenMessages = 0;
  #ending: Promise<void> | undefined;

  constructor({ readable, writable, maxUntakenMessages }: MessageStreamOptions) {
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    this.#maxUntakenMessages = maxUntakenMessages ?? 65_536;
  }

  open(receiver: Receiver): void {
    this.#receiver = receiver;
    void this.#read();
    this.#writer.closed.then(
      () => {
        this.#end();
      },
      (error: unknown) => {
        this.#break(error);
      },
    );
  }

  send(message: object): void {
    if (this.#state === 'closed') return;
    if (this.#untakenMessages >= this.#maxUntakenMessages) {
      this.#break(new Fault('too-many', `the other side leaves ${this.#maxUntakenMessages} messages untaken`));
      return;
    }
    this.#untakenMessages++;
    this.#writer.write(message).then(
      () => {
        this.#untakenMessages--;
      },
      // The writer's `closed` says so too.
      () => undefined,
    );
  }

  room(): Promise<void> | undefined {
    // Null: the stream is broken, which is about to be said.
    if (this.#state === 'closed' || (this.#writer.desiredSize ?? 1) > 0) return undefined;
    return this.#writer.ready.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#end();
    await this.#ending;
  }

  /** One at a time: what is not asked for stays with its sender. After the close, what still comes is dropped. */
  async #read(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        if (this.#state === 'open') this.#receiver?.message(value);
      }
      this.#end();
    } catch (thrown) {
      this.#break(thrown);
    }
  }

  #end(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#ending = this.#finish();
    this.#receiver?.closed();
  }

  #break(error: unknown): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#ending = this.#abort(error);
    this.#receiver?.closed(error);
  }

  /** Writes first: to cancel the readable side closes some transports at once. */
  async #finish(): Promise<void> {
    await this.#writer.close().catch(() => undefined);
    await this.#reader.cancel().catch(() => undefined);
  }

  async #abort(reason: unknown): Promise<void> {
    await Promise.allSettled([this.#writer.abort(reason), this.#reader.cancel(reason)]);
  }
}
