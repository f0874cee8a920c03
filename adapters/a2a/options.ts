import type { WhenBusy } from '../../schemas/activation.ts';
import type { Actor, Principal } from '../../schemas/id.ts';
import type { PushFilter } from '../../schemas/subscription.ts';
import type { Log } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import type { Gateway } from '../../src/gateway.ts';
import type { BindingLimits } from './binding.ts';
import type { CardSigning } from './card-signatures.ts';
import type { WhenWaiting } from './contexts.ts';
import type { ShownWork } from './task-fold.ts';

export interface A2aLimits extends BindingLimits {
  /** The longest that SendMessage waits for its task. */
  readonly maxWaitMs: number;
  /** The longest that CancelTask waits for its task to end. */
  readonly cancelWaitMs: number;
}

export interface A2aOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  /** How callers reach the gateway, without a slash at the end. */
  readonly baseUrl: () => string;
  /** Host and port where gRPC is served; undefined: it is not. */
  readonly grpcAddress?: () => string | undefined;
  /** Whether callers need a token: then cards say so, and there is an extended card. */
  readonly needsToken?: boolean;
  readonly limits?: Partial<A2aLimits>;
  /** What a message for a new task does where its context runs; `queue` if not given. */
  readonly whenBusy?: WhenBusy;
  /** What it does where its context waits for a person; `fork` if not given. */
  readonly whenWaiting?: WhenWaiting;
  /** Whether callers answer for themselves or for a person; `agent` if not given, and then some questions are not theirs. */
  readonly callerIs?: 'agent' | 'person';
  /** Actors behind whom there is a person in any case. */
  readonly persons?: readonly Actor[];
  /** What callers' webhooks are told; none are taken if not given. The gateway needs a `TaskPusher` for it. */
  readonly push?: PushFilter;
  /** What of the work is told as status messages. */
  readonly show?: readonly ShownWork[];
  readonly cardMaxAgeS?: number;
  /** By what cards are signed; they are not if not given. */
  readonly signing?: CardSigning | undefined;
}

export interface GrpcOptions extends A2aOptions {
  /** The caller of a request with this `authorization`. @throws Fault `unauthenticated` */
  readonly recognise: (authorization: string | undefined) => Principal;
  readonly log: Log;
}

export const defaultLimits: A2aLimits = {
  maxBodyBytes: 10 * 1024 * 1024,
  keepAliveMs: 15_000,
  maxBufferedChars: 64 * 1024,
  slowViewerMs: 30_000,
  maxWaitMs: 60_000,
  cancelWaitMs: 6000,
};
