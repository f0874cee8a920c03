import type { Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import type { Call } from './call.ts';
import type { StreamLimits } from './frames.ts';
import type { Handler } from './handler.ts';

export interface BindingLimits extends StreamLimits {
  readonly maxBodyBytes: number;
}

/** What every binding needs to serve one agent. */
export interface Binding {
  readonly handler: Handler;
  readonly clock: Clock;
  readonly limits: BindingLimits;
  /** Takes an exchange up as a call. Disposed, it listens to its client no longer. */
  open(exchange: Exchange): Disposable & { readonly call: Call };
}
