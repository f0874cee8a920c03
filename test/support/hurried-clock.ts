import type { Clock } from '../../src/clock.ts';

/** A clock on which every wait is over at once, and which keeps how long each was. A wait without end never is. */
export class HurriedClock implements Clock {
  readonly waits: number[] = [];
  readonly #during: ((wait: number) => Promise<void> | void) | undefined;
  #nowMs = 1_700_000_000_000;

  /** `during` is called in each wait, with its number from 1, before it ends. */
  constructor(during?: (wait: number) => Promise<void> | void) {
    this.#during = during;
  }

  now(): number {
    return this.#nowMs;
  }

  at(atMs: number, wake: () => void): () => void {
    if (atMs === Infinity) return () => undefined;
    let isCancelled = false;
    this.waits.push(atMs - this.#nowMs);
    const number = this.waits.length;
    const fire = async (): Promise<void> => {
      await this.#during?.(number);
      if (isCancelled) return;
      this.#nowMs = Math.max(this.#nowMs, atMs);
      wake();
    };
    setImmediate(() => void fire());
    return () => {
      isCancelled = true;
    };
  }
}
