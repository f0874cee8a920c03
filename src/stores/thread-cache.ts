import type { ThreadKey } from '../../schemas/id.ts';
import { claimOf, type Lane } from '../lane/lane.ts';
import { threadName } from '../thread-name.ts';
import type { Call } from './call.ts';
import type { StoredThread } from './engine.ts';
import type { LaneIndex } from './lane-index.ts';
import { Recent } from './recent.ts';

/** What the store knows of a thread as of its last commit. */
export interface ThreadImage {
  /** Undefined: there is no such thread. */
  readonly stored: StoredThread | undefined;
  readonly lane: Lane | undefined;
  readonly laneChars: number;
  /** Of the lane as it was last written. */
  readonly index: LaneIndex;
  /** The last number given; appends raise it without writing the lane. */
  readonly head: number;
  /** The time of the last event: the next turn's is not below it. */
  readonly lastMs: number;
  readonly appended: Appended | undefined;
}

/** The last append of a claim, to recognise its repetition. */
export interface Appended {
  readonly token: string;
  readonly ordinal: number;
  readonly first: number;
  readonly last: number;
}

export interface CachedThread {
  readonly key: ThreadKey;
  /** Undefined until it is first needed. */
  image: ThreadImage | undefined;
  readonly recent: Recent;
  /** Not yet decided, in order. */
  calls: Call[];
  /** `due`: its calls wait for the next round. `committing`: they wait for the end of its commit. */
  state: 'idle' | 'due' | 'committing';
  /** What the cache counts it with. */
  bytes: number;
}

export interface CacheLimits {
  readonly maxThreads: number;
  readonly maxBytes: number;
}

/** A thread's own fields and maps; its lane as objects takes several times what it takes as text. */
const threadBytes = 1024;
const laneBytesPerChar = 4;
/** How many of the oldest are looked at when a thread is counted: more than one comes in, so that it stays bounded. */
const looksAtOnce = 8;

/** The threads that were used last. One that is claimed, or has calls, stays however long ago that was. */
export class ThreadCache {
  readonly #limits: CacheLimits;
  readonly #threads = new Map<string, CachedThread>();
  #bytes = 0;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  find(key: ThreadKey): CachedThread | undefined {
    return this.#threads.get(threadName(key));
  }

  /** The thread, now the last used. */
  use(key: ThreadKey): CachedThread {
    const name = threadName(key);
    let thread = this.#threads.get(name);
    if (thread === undefined)
      thread = { key, image: undefined, recent: new Recent(), calls: [], state: 'idle', bytes: 0 };
    else this.#threads.delete(name);
    this.#threads.set(name, thread);
    return thread;
  }

  /** Counts what a thread has become, and lets go of others if that is too much. */
  resized(thread: CachedThread): void {
    this.#count(thread);
    this.#evict();
  }

  all(): Iterable<CachedThread> {
    return this.#threads.values();
  }

  #evict(): void {
    let looks = looksAtOnce;
    for (const [name, thread] of this.#threads) {
      if (!this.#isOver() || looks === 0) return;
      looks -= 1;
      this.#threads.delete(name);
      if (mustStay(thread)) {
        thread.recent.clear();
        this.#count(thread);
        this.#threads.set(name, thread);
      } else this.#bytes -= thread.bytes;
    }
  }

  #count(thread: CachedThread): void {
    const bytes = threadBytes + laneBytesPerChar * (thread.image?.laneChars ?? 0) + thread.recent.chars;
    this.#bytes += bytes - thread.bytes;
    thread.bytes = bytes;
  }

  #isOver(): boolean {
    return this.#threads.size > this.#limits.maxThreads || this.#bytes > this.#limits.maxBytes;
  }
}

function mustStay({ state, image }: CachedThread): boolean {
  return state !== 'idle' || (image?.lane !== undefined && claimOf(image.lane) !== undefined);
}
