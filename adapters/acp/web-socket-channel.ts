// This side of a WebSocket to a gateway: one message a text frame.
// https://agentclientprotocol.com/rfds/streamable-http-websocket-transport
import type { RawData, WebSocket } from 'ws';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { PausableChannel, Receiver } from './channel.ts';
import { wellFormed } from './well-formed.ts';

export interface WebSocketChannelOptions {
  /** Open. With `allowSynchronousEvents: false`: what follows from a message is done before the next one is looked at. */
  readonly socket: WebSocket;
  readonly clock: Clock;
  /** After half of it the other side is asked whether it is there: nothing at all for so long means that it is gone. */
  readonly silenceMs: number;
  /** The longest message that the other side takes: a longer one would be the end of the connection. Undefined: unknown. */
  readonly maxSentBytes?: number | undefined;
}

const roomBytes = 1024 * 1024;

/** `open` until the socket closes or breaks, or `close` is called. */
export class WebSocketChannel implements PausableChannel {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #silenceMs: number;
  readonly #maxSentBytes: number;
  #receiver: Receiver | undefined;
  #room: Promise<void> | undefined;
  #cancelSilence: (() => void) | undefined;

  constructor({ socket, clock, silenceMs, maxSentBytes }: WebSocketChannelOptions) {
    this.#socket = socket;
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#maxSentBytes = maxSentBytes ?? Number.POSITIVE_INFINITY;
  }

  open(receiver: Receiver): void {
    this.#receiver = receiver;
    const socket = this.#socket;
    let broke: unknown;
    socket.on('error', (error) => {
      broke = error;
    });
    for (const sign of ['ping', 'pong']) {
      socket.on(sign, () => {
        this.#heard();
      });
    }
    socket.on('message', (data) => {
      this.#heard();
      this.#take(data);
    });
    socket.on('close', () => {
      this.#cancelSilence?.();
      receiver.closed(broke);
    });
    this.#heard();
  }

  send(message: object): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const text = wellFormed(JSON.stringify(message));
    if (this.#isTooLong(text)) {
      throw new Fault('too-large', `the gateway takes no message of more than ${this.#maxSentBytes} bytes`);
    }
    this.#socket.send(text);
  }

  room(): Promise<void> | undefined {
    if (this.#socket.bufferedAmount < roomBytes) return undefined;
    // A ping is written behind all that is queued: its own write is the sign that there is room.
    this.#room ??= new Promise((resolve) => {
      this.#socket.ping(undefined, undefined, () => {
        this.#room = undefined;
        resolve();
      });
    });
    return this.#room;
  }

  /** Reads nothing more until `resume`: the other side is slowed down by its own socket. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): Promise<void> {
    const socket = this.#socket;
    if (socket.readyState === socket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
      });
      socket.close(1000);
    });
  }

  /** A unit of text is three bytes at most. */
  #isTooLong(text: string): boolean {
    return text.length * 3 > this.#maxSentBytes && Buffer.byteLength(text) > this.#maxSentBytes;
  }

  #take(data: RawData): void {
    let value: unknown;
    try {
      value = JSON.parse(Buffer.isBuffer(data) ? data.toString() : '');
    } catch (cause) {
      this.#receiver?.malformed(new Fault('invalid-request', 'the frame is no JSON', { cause }));
      return;
    }
    this.#receiver?.message(value);
  }

  #heard(): void {
    this.#afterSilence(() => {
      this.#socket.ping();
      this.#afterSilence(() => {
        this.#socket.terminate();
      });
    });
  }

  #afterSilence(act: () => void): void {
    this.#cancelSilence?.();
    this.#cancelSilence = this.#clock.at(this.#clock.now() + this.#silenceMs / 2, act);
  }
}
