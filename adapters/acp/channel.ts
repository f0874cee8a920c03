// What a JSON-RPC peer speaks through: one ordered stream of messages each way.
import type { Fault } from '../../src/fault.ts';

export type JsonRpcId = string | number | null;

export interface Channel {
  /** Begins to deliver, but nothing before it has returned. Called once. */
  open(receiver: Receiver): void;
  /**
   * Queues a message; order is kept, and what is queued in one tick is written together. After the close it does
   * nothing. Throws, with nothing queued, what `JSON.stringify` throws, and Fault `too-large` for more than the other
   * side is known to take.
   */
  send(message: object): void;
  /** Undefined while there is room; otherwise resolves when there is again, or the channel has closed. */
  room(): Promise<void> | undefined;
  /** Sends what is queued, then closes. Resolves when that is done or impossible. Twice is fine. */
  close(): Promise<void>;
}

/** One that can make its other side wait. */
export interface PausableChannel extends Channel {
  /** Delivers nothing more until `resume`, but for what is on its way. */
  pause(): void;
  resume(): void;
}

/** Throws nothing. */
export interface Receiver {
  message(value: unknown): void;
  /** Something came that is no message: not JSON (`invalid-request`) or over the limit (`too-large`). The channel lives on. */
  malformed(why: Fault): void;
  /** No more comes. Called once, also when it is this side that closes. `error`: it broke. */
  closed(error?: unknown): void;
}
