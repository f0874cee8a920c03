import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Aborted when nobody waits for an answer any more. Disposed, it listens no longer. */
export interface ExchangeSignal extends Disposable {
  readonly signal: AbortSignal;
  /** Ends the wait for another reason. */
  readonly abort: () => void;
}

/** How one who waits is known to have gone. */
export interface Waiter {
  readonly emitter: EventEmitter;
  /** Emitted when it goes. */
  readonly event: string;
  readonly isGone: boolean;
}

/** Aborts when the client has gone or the gateway stops. */
export function exchangeSignal(response: ServerResponse, stopping: AbortSignal): ExchangeSignal {
  return waiterSignal({ emitter: response, event: 'close', isGone: response.destroyed }, stopping);
}

/** Aborts when the waiter has gone or the gateway stops. (`AbortSignal.any` keeps what outlives it on Node 20.) */
export function waiterSignal({ emitter, event, isGone }: Waiter, stopping: AbortSignal): ExchangeSignal {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort();
  };
  emitter.once(event, abort);
  stopping.addEventListener('abort', abort);
  if (stopping.aborted || isGone) abort();
  return {
    signal: controller.signal,
    abort,
    [Symbol.dispose]() {
      emitter.off(event, abort);
      stopping.removeEventListener('abort', abort);
    },
  };
}
