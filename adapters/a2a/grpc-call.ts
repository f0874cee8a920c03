import type { IncomingHttpHeaders } from 'node:http';
import { type Metadata, type ServerUnaryCall, type ServerWritableStream, status as codes } from '@grpc/grpc-js';
import type { Clock } from '../../src/clock.ts';
import { type ExchangeSignal, waiterSignal } from '../../src/exchange-signal.ts';
import { Fault } from '../../src/fault.ts';
import type { Log } from '../../src/adapter.ts';
import type { Call } from './call.ts';

export type UnaryCall<Request, Response> = ServerUnaryCall<Request, Response>;
export type StreamingCall<Request, Response> = ServerWritableStream<Request, Response>;

export interface GrpcCallOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
}

/** One call on its wire, from its request to its status. Disposed, it listens to its client no longer. */
export class GrpcCall<Request, Response> implements Disposable {
  /** Undefined until its caller is known. */
  call: Call | undefined;
  readonly #wire: UnaryCall<Request, Response> | StreamingCall<Request, Response>;
  readonly #options: GrpcCallOptions;
  readonly #over: ExchangeSignal;
  readonly #startedAtMs: number;

  constructor(wire: UnaryCall<Request, Response> | StreamingCall<Request, Response>, options: GrpcCallOptions) {
    this.#wire = wire;
    this.#options = options;
    this.#over = waiterSignal({ emitter: wire, event: 'cancelled', isGone: wire.cancelled }, options.stopping);
    this.#startedAtMs = options.clock.now();
  }

  /** Aborted when the caller has gone, or its deadline has passed, or the gateway stops. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get headers(): IncomingHttpHeaders {
    return headersOf(this.#wire.metadata);
  }

  /** Writes one line of log. */
  end(code: codes): void {
    const { clock, log } = this.#options;
    const status = this.#wire.cancelled ? codes.CANCELLED : code;
    const rpc = this.#wire.getPath();
    const scope = this.call?.caller.scope;
    const durationMs = clock.now() - this.#startedAtMs;
    log.info({ door: 'A2A', rpc, scope, status: codes[status], durationMs }, 'answered');
  }

  [Symbol.dispose](): void {
    this.#over[Symbol.dispose]();
  }
}

/** Metadata as HTTP has it: they are the same headers. */
function headersOf(metadata: Metadata): IncomingHttpHeaders {
  const names = Object.keys(metadata.getMap());
  return Object.fromEntries(names.map((name) => [name, metadata.get(name).join(', ')]));
}

export interface Patience {
  readonly clock: Clock;
  /** How long a reader may leave its stream full. */
  readonly slowViewerMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** Resolves when a full stream takes more, or nobody waits for it any more. @throws Fault `timeout`: it is not read */
export function drained(
  wire: StreamingCall<unknown, unknown>,
  { clock, slowViewerMs, signal }: Patience,
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = (): void => {
      wire.off('drain', done);
      signal.removeEventListener('abort', done);
      cancel();
      resolve();
    };
    const cancel = clock.at(clock.now() + slowViewerMs, () => {
      reject(new Fault('timeout', `nothing was read for ${slowViewerMs} ms; subscribe to the task again`));
      done();
    });
    wire.once('drain', done);
    signal.addEventListener('abort', done);
  });
}
