import type { ActivationId, RunId, ThreadId } from '../../schemas/id.ts';
import type { Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import type { Gateway } from '../../src/gateway.ts';
import type { Viewers } from './viewers.ts';

export interface CancelOnDisconnectParts {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly viewers: Viewers;
  /** How long a client has to come back. */
  readonly graceMs: number;
}

/** A client whose connection is over. */
interface Gone {
  readonly threadId: ThreadId;
  /** What it was told of; undefined: no run has taken its request. */
  readonly run: RunId | undefined;
  /** Its own request; undefined: it only looked on. */
  readonly activation: ActivationId | undefined;
  /** Whether it left of its own will, before the end. */
  readonly left: boolean;
  /** Whether nobody looks at the run any more, and the last one left so. */
  readonly isAbandoned: boolean;
}

/** The requests whose clients have left a run, and how each is cancelled. */
interface LeftRun {
  readonly requests: Map<ActivationId, () => void>;
  stopGrace: () => void;
}

/** Cancels what clients asked for and have left, where leaving means that. */
export class CancelOnDisconnect {
  readonly #parts: CancelOnDisconnectParts;
  /** Runs that are to be cancelled, once everybody else has left them too and the grace is over. */
  readonly #left = new Map<RunId, LeftRun>();

  constructor(parts: CancelOnDisconnectParts) {
    this.#parts = parts;
  }

  /** Told of each client that is gone, and not among the viewers any more. */
  gone(exchange: Exchange, client: Gone): void {
    const { threadId, run, activation, left } = client;
    const { principal, log } = exchange;
    const cancel =
      left && activation !== undefined ? () => this.#cancel({ principal, log }, threadId, activation) : undefined;
    if (run !== undefined) this.#leaveRun(run, client, cancel);
    else if (activation !== undefined && cancel !== undefined) this.#leaveUntaken(activation, cancel);
  }

  /** `cancel`: of the client's own request. */
  #leaveRun(run: RunId, { activation, isAbandoned }: Gone, cancel: (() => void) | undefined): void {
    const { gateway, clock, viewers, graceMs } = this.#parts;
    const of = this.#left.get(run) ?? { requests: new Map<ActivationId, () => void>(), stopGrace: () => undefined };
    of.stopGrace();
    if (!isAbandoned && !viewers.isViewed(run)) {
      this.#left.delete(run);
      return;
    }
    if (activation !== undefined && cancel !== undefined) of.requests.set(activation, cancel);
    if (of.requests.size === 0) return;
    this.#left.set(run, of);
    if (!isAbandoned) return;
    of.stopGrace = clock.at(clock.now() + graceMs, () => {
      if (!viewers.isAbandoned(run) || gateway.stopping.aborted) return;
      this.#left.delete(run);
      for (const cancelOne of of.requests.values()) cancelOne();
    });
  }

  #leaveUntaken(id: ActivationId, cancel: () => void): void {
    const { gateway, clock, viewers, graceMs } = this.#parts;
    clock.at(clock.now() + graceMs, () => {
      if (!gateway.stopping.aborted && !viewers.isAwaited(id)) cancel();
    });
  }

  #cancel({ principal, log }: Pick<Exchange, 'principal' | 'log'>, threadId: ThreadId, id: ActivationId): void {
    this.#cancelUnlessViewed(principal, threadId, id).catch((error: unknown) => {
      log.warn({ threadId, activation: id, error }, 'a request that its client left could not be cancelled');
    });
  }

  async #cancelUnlessViewed(principal: Exchange['principal'], threadId: ThreadId, id: ActivationId): Promise<void> {
    const { gateway, viewers } = this.#parts;
    const state = (await gateway.findActivation(principal, threadId, id))?.state;
    if (state !== undefined && 'runId' in state && viewers.isViewed(state.runId)) return;
    await gateway.runs.cancelActivation({ ...principal, door: 'ag-ui', origin: 'user' }, threadId, id);
  }
}
