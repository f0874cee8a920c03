import type { ServerResponse } from 'node:http';

/** Aborted when nobody waits for an answer any more. Disposed, it listens no longer. */
export interface ExchangeSignal extends Disposable {
  readonly signal: AbortSignal;
  /** Ends the wait for another reason. */
  readonly abort: () => void;
}

/** Aborts when the client has gone or the gateway stops. (`AbortSignal.any` keeps what outlives it on Node 20.) */
export function exchangeSignal(response: ServerResponse, stopping: AbortSignal): ExchangeSignal {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort();
  };
  response.once('close', abort);
  stopping.addEventListener('abort', abort);
  if (stopping.aborted || response.destroyed) abort();
  return {
    signal: controller.signal,
    abort,
    [Symbol.dispose]() {
      response.off('close', abort);
      stopping.removeEventListener('abort', abort);
    },
  };
}
