import type { ActivationId, RunId } from '../../schemas/id.ts';

/** Somebody who looks on; at which run may show only later. */
interface Looking {
  readonly run: RunId | undefined;
  /** Whose answer it waits for; undefined for those who only look on. */
  readonly activation: { readonly id: ActivationId } | undefined;
}

/** So many abandoned runs are remembered; of older ones nobody comes to ask. */
const maxAbandoned = 10_000;

/**
 * Who looks on at which run, in this process. A run is abandoned once its last viewer has left before its end; it is so
 * no more when somebody comes to look. Stock clients stop a run by leaving it.
 */
export class Viewers {
  readonly #live = new Set<Looking>();
  readonly #abandoned = new Set<RunId>();

  enter(viewer: Looking): void {
    this.#live.add(viewer);
  }

  /** `left`: before the end, and of its own accord. Returns whether nobody looks on any more at what it was told. */
  leave(viewer: Looking, left: boolean): boolean {
    this.#live.delete(viewer);
    const { run } = viewer;
    if (run === undefined) return false;
    // Whoever left it before, this one came to look.
    this.#abandoned.delete(run);
    if (!left || this.isViewed(run)) return false;
    this.#abandoned.add(run);
    const [oldest] = this.#abandoned;
    if (this.#abandoned.size > maxAbandoned && oldest !== undefined) this.#abandoned.delete(oldest);
    return true;
  }

  /** Whether there may be any. */
  get someAreAbandoned(): boolean {
    return this.#abandoned.size > 0;
  }

  isAbandoned(run: RunId): boolean {
    if (this.isViewed(run)) this.#abandoned.delete(run);
    return this.#abandoned.has(run);
  }

  isViewed(run: RunId): boolean {
    for (const viewer of this.#live) if (viewer.run === run) return true;
    return false;
  }

  /** Whether somebody waits for a request's own answer. */
  isAwaited(activation: ActivationId): boolean {
    for (const viewer of this.#live) if (viewer.activation?.id === activation) return true;
    return false;
  }
}
