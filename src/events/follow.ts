import type { ThreadKey } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Clock } from '../clock.ts';
import { deferred } from '../deferred.ts';
import { Fault } from '../fault.ts';
import type { Lane } from '../lane/lane.ts';
import type { Store } from '../mailbox/store.ts';
import { threadName } from '../thread-name.ts';

const pageSize = 250;

interface Sleep {
  readonly over: Promise<void>;
  readonly end: () => void;
}

/**
 * Followers of threads' logs. Each pulls pages at its own pace from where it is and, at the end of the log, sleeps until
 * a commit touches its thread; nothing is kept for it meanwhile. A lost wake costs at most the fallback.
 */
export class Followers {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #fallbackMs: number;
  readonly #sleepers = new Map<string, Set<() => void>>();
  readonly #unwatch: () => void;
  #cancelFallback: (() => void) | undefined;
  #closed = false;

  constructor(store: Store, clock: Clock, fallbackMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#fallbackMs = fallbackMs;
    this.#unwatch = store.watch((thread) => {
      if (this.#sleepers.size > 0) this.#wake(threadName(thread));
    });
  }

  /**
   * Committed events after `after`, in pages, until aborted or closed.
   * @throws Fault `not-found`, and `cursor-expired` as soon as what comes next is not, or no longer, in this log
   */
  async *follow(
    thread: ThreadKey,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly RunEvent[], void, void> {
    const { logId } = await this.#laneAt(thread, after);
    const key = threadName(thread);
    let at = after;
    let sleep: Sleep | undefined;
    const wake = (): void => {
      sleep?.end();
    };
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted && !this.#closed) {
        const page = await this.#store.readEvents(thread, at, pageSize);
        const first = page[0];
        const last = page.at(-1);
        if (first !== undefined && last !== undefined) {
          sleep?.end();
          sleep = undefined;
          if (first.seq !== at + 1) throw tooOld();
          // Read before this look: of a log that is the thread's still, it was the log's own.
          await this.#laneAt(thread, at, logId);
          at = last.seq;
          yield page;
        } else if (at < (await this.#laneAt(thread, at, logId)).head) {
          // Written since that look, or evicted before it.
          const [next] = await this.#store.readEvents(thread, at, 1);
          if (next?.seq !== at + 1) throw tooOld();
        } else if (sleep === undefined) {
          // Looks once more from here on: a commit between that look and the sleep wakes it all the same.
          sleep = this.#sleep(key);
        } else {
          await sleep.over;
          sleep = undefined;
        }
      }
    } finally {
      sleep?.end();
      signal.removeEventListener('abort', wake);
    }
  }

  /** The lane of a log that has this position. */
  async #laneAt(thread: ThreadKey, after: number, logId?: string): Promise<Lane> {
    const lane = await this.#store.findLane(thread);
    if (lane === undefined) throw new Fault('not-found', 'no such thread');
    if (after > lane.head) throw new Fault('cursor-expired', 'the position is beyond the end of the log');
    if (logId !== undefined && lane.logId !== logId) throw new Fault('cursor-expired', 'the log is another one now');
    return lane;
  }

  #sleep(key: string): Sleep {
    const { promise, resolve } = deferred();
    let sleepers = this.#sleepers.get(key);
    if (sleepers === undefined) this.#sleepers.set(key, (sleepers = new Set()));
    const here = sleepers;
    const end = (): void => {
      here.delete(end);
      if (here.size === 0 && this.#sleepers.get(key) === here) this.#sleepers.delete(key);
      resolve();
    };
    here.add(end);
    this.#cancelFallback ??= this.#clock.at(this.#clock.now() + this.#fallbackMs, () => {
      this.#cancelFallback = undefined;
      this.#wakeAll();
    });
    return { over: promise, end };
  }

  #wake(key: string): void {
    const sleepers = this.#sleepers.get(key);
    if (sleepers === undefined) return;
    for (const wake of sleepers) wake();
  }

  #wakeAll(): void {
    for (const key of this.#sleepers.keys()) this.#wake(key);
  }

  /** Every follower ends. */
  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#cancelFallback?.();
    this.#wakeAll();
  }
}

function tooOld(): Fault {
  return new Fault('cursor-expired', 'the log does not go back that far');
}
