import { type Deferred, deferred } from '../deferred.ts';

/** How many attempts may execute at once. Waiting for a person gives the slot back. */
export class Slots {
  #free: number;
  readonly #waiting: Deferred<'taken' | 'aborted'>[] = [];

  readonly #onFree: () => void;

  constructor(count: number, onFree: () => void) {
    this.#free = count;
    this.#onFree = onFree;
  }

  /** A slot for new work, if one is free and no attempt that goes on waits for it. */
  tryTake(): boolean {
    if (this.#free === 0 || this.#waiting.length > 0) return false;
    this.#free -= 1;
    return true;
  }

  /** A slot for an attempt that goes on; before any new work, in the order asked. Not taken when aborted first. */
  async take(signal: AbortSignal): Promise<'taken' | 'aborted'> {
    if (signal.aborted) return 'aborted';
    if (this.tryTake()) return 'taken';
    const turn = deferred<'taken' | 'aborted'>();
    this.#waiting.push(turn);
    const leave = (): void => {
      const place = this.#waiting.indexOf(turn);
      if (place === -1) return;
      this.#waiting.splice(place, 1);
      turn.resolve('aborted');
    };
    signal.addEventListener('abort', leave, { once: true });
    const result = await turn.promise;
    signal.removeEventListener('abort', leave);
    return result;
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.resolve('taken');
      return;
    }
    this.#free += 1;
    this.#onFree();
  }
}
