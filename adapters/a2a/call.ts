import { ServerCallContext, type ServerCallContextOptions, type User } from '@a2a-js/sdk/server';
import type { Principal } from '../../schemas/id.ts';
import type { Log } from '../../src/adapter.ts';
import type { Caller } from '../../src/gateway.ts';

export interface CallOptions {
  readonly principal: Principal;
  readonly origin: 'user' | 'agent';
  readonly requestedVersion: string;
  readonly requestedExtensions: string[];
  readonly lastEventId: string | undefined;
  /** The caller's own name of the request, under which its repetition is recognised. */
  readonly idempotencyKey: string | undefined;
  readonly trace: { readonly traceparent: string; readonly tracestate?: string } | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** One operation that a caller asks for, on whichever binding; what the SDK's transports hand through to the handler. */
export class Call extends ServerCallContext {
  readonly caller: Caller;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly lastEventId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly trace: CallOptions['trace'];
  /** What the operation failed with: the SDK's transports keep its message alone. */
  fault: unknown;
  /** Whether its request could be read, and was handed to the handler. */
  isReached = false;
  /** The position of the frame that a stream yielded last. */
  position = '';
  /** Whether that was the last one for now. */
  isCaughtUp = true;

  constructor(options: CallOptions) {
    const { principal, origin, requestedVersion, requestedExtensions } = options;
    const user: User = { isAuthenticated: true, userName: principal.actor };
    const base: ServerCallContextOptions = { requestedExtensions, user, requestedVersion };
    super(base);
    this.caller = { ...principal, door: 'a2a', origin };
    this.signal = options.signal;
    this.log = options.log;
    this.lastEventId = options.lastEventId;
    this.idempotencyKey = options.idempotencyKey;
    this.trace = options.trace;
  }

  /** The call that a transport hands through. */
  static of(context: ServerCallContext): Call {
    if (context instanceof Call) {
      context.isReached = true;
      return context;
    }
    throw new TypeError('a call came by another way than the adapter');
  }
}
