import type { Clock } from '../clock.ts';

/** One timer for all that is due at a time: fires at the earliest it was asked for, and at least every fallback. */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #fallbackMs: number;
  readonly #wake: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, fallbackMs: number, wake: () => void) {
    this.#clock = clock;
    this.#fallbackMs = fallbackMs;
    this.#wake = wake;
  }

  /** Fires no later than this. */
  arm(atMs: number): void {
    const soonest = Math.min(atMs, this.#clock.now() + this.#fallbackMs);
    if (soonest >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = soonest;
    this.#cancel = this.#clock.at(soonest, () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      this.#wake();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Number.NEGATIVE_INFINITY;
  }
}
