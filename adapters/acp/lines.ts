// Newline-delimited JSON over byte streams: stdin and stdout, a child's, a socket.
// https://agentclientprotocol.com/protocol/v1/transports#stdio
import { finished, type FinishedOptions, type Readable, type Writable } from 'node:stream';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { Channel, Receiver } from './channel.ts';
import { LineSplitter } from './line-splitter.ts';
import { wellFormed } from './well-formed.ts';

const mebibyte = 1024 * 1024;

export interface LinesOptions {
  readonly input: Readable;
  /** May be the same stream. */
  readonly output: Writable;
  readonly clock: Clock;
  /** Of one line that comes; a longer one is skipped. Default 32 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** What may wait unread by the other side before it is given up. Default 64 MiB. */
  readonly maxUnreadBytes?: number | undefined;
  /** How long the other side may take to read the rest, and to end a socket in turn, after the close. Default 5000. */
  readonly closeWaitMs?: number | undefined;
}

/** `open` until one of the streams ends or breaks, or `close` is called; the streams are its own, and end with it. */
export class LinesChannel implements Channel {
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #clock: Clock;
  readonly #maxMessageBytes: number;
  readonly #maxUnreadBytes: number;
  readonly #closeWaitMs: number;
  #state: 'open' | 'closed' = 'open';
  #receiver: Receiver | undefined;
  #queued = '';
  #room: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #ending: Promise<void> | undefined;

  constructor({ input, output, clock, maxMessageBytes, maxUnreadBytes, closeWaitMs }: LinesOptions) {
    this.#input = input;
    this.#output = output;
    this.#clock = clock;
    this.#maxMessageBytes = maxMessageBytes ?? 32 * mebibyte;
    this.#maxUnreadBytes = maxUnreadBytes ?? 64 * mebibyte;
    this.#closeWaitMs = closeWaitMs ?? 5000;
  }

  open(receiver: Receiver): void {
    this.#receiver = receiver;
    const splitter = new LineSplitter(this.#maxMessageBytes, {
      line: (text) => {
        this.#take(text);
      },
      tooLong: () => {
        if (this.#state === 'open') receiver.malformed(tooLong(this.#maxMessageBytes));
      },
    });
    this.#output.on('drain', () => {
      this.#makeRoom();
    });
    finished(this.#output, { readable: false }, (error) => {
      this.#end(error ?? undefined);
    });
    finished(this.#input, { writable: false }, (error) => {
      if (!error) splitter.end();
      this.#end(error ?? undefined);
    });
    this.#input.on('data', (chunk: Buffer) => {
      if (this.#state === 'open') splitter.push(chunk);
    });
  }

  send(message: object): void {
    if (this.#state === 'closed') return;
    const text = wellFormed(JSON.stringify(message));
    // The next tick begins after the microtasks of this one, which queue the rest of what belongs together.
    if (this.#queued === '') process.nextTick(() => this.#flush());
    this.#queued += `${text}\n`;
  }

  room(): Promise<void> | undefined {
    const { writableLength, writableHighWaterMark } = this.#output;
    const isFull = writableLength + this.#queued.length >= writableHighWaterMark;
    if (this.#state === 'closed' || !isFull) return undefined;
    this.#room ??= newRoom();
    return this.#room.promise;
  }

  async close(): Promise<void> {
    this.#end();
    await this.#ending;
  }

  #take(text: string): void {
    if (this.#state === 'closed') return;
    // Besides \r and blank lines, this drops a byte order mark.
    const json = text.trim();
    if (json === '') return;
    let value: unknown;
    try {
      value = JSON.parse(json);
    } catch {
      this.#receiver?.malformed(new Fault('invalid-request', 'a line must be JSON'));
      return;
    }
    this.#receiver?.message(value);
  }

  #flush(): void {
    const text = this.#queued;
    this.#queued = '';
    if (text === '' || !this.#output.writable) return;
    if (this.#output.writableLength > this.#maxUnreadBytes) {
      this.#end(new Fault('too-many', `the other side leaves more than ${this.#maxUnreadBytes} bytes unread`));
      return;
    }
    this.#output.write(text);
    // Otherwise it says when it has drained.
    if (!this.#output.writableNeedDrain) this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #end(error?: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    if (error === undefined) this.#ending = this.#finish();
    else this.#destroy();
    this.#makeRoom();
    this.#receiver?.closed(error);
  }

  async #finish(): Promise<void> {
    const stopWaiting = this.#clock.at(this.#clock.now() + this.#closeWaitMs, () => {
      this.#destroy();
    });
    this.#flush();
    this.#output.end();
    await over(this.#output, { readable: false });
    // A socket that is closed with bytes unread is reset, and the reset overtakes what was written.
    if (Object.is(this.#input, this.#output)) await over(this.#input, { writable: false });
    this.#input.destroy();
    stopWaiting();
  }

  #destroy(): void {
    this.#output.destroy();
    this.#input.destroy();
  }
}

async function over(stream: Readable | Writable, options: FinishedOptions): Promise<void> {
  await new Promise<void>((resolve) => {
    finished(stream, options, () => {
      resolve();
    });
  });
}

function newRoom(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function tooLong(maxMessageBytes: number): Fault {
  return new Fault('too-large', `a message must not be longer than ${maxMessageBytes} bytes`);
}
