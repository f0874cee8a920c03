import type { EventChunk } from './event-chunk.ts';
import type { Filed } from './filed.ts';
import type { LaneIndex } from './lane-index.ts';

/** What is committed of a thread and not yet in its tables. */
export interface UnappliedThread {
  lane: { readonly text: string; readonly index: LaneIndex } | undefined;
  /** By kind and id. */
  readonly records: Map<string, UnappliedRecord>;
  readonly chunks: EventChunk[];
  chars: number;
}

/** Without a text it was removed. */
export interface UnappliedRecord {
  readonly kind: string;
  readonly id: string;
  readonly text: string | undefined;
  readonly filed: Filed | undefined;
}

export type Generation = Map<number, UnappliedThread>;

/**
 * Committed changes that wait to be applied, in two generations: the fresh one takes new changes, the frozen one is being
 * applied and goes when it is. What is written often is so applied once for many commits. The writer keeps one to apply
 * from, the reader keeps its own to read from; both see the same steps in the same order.
 */
export class Unapplied {
  #fresh: Generation = new Map();
  #frozen: Generation | undefined;
  #freshChars = 0;

  get freshChars(): number {
    return this.#freshChars;
  }

  get frozen(): Generation | undefined {
    return this.#frozen;
  }

  /** Oldest first. */
  *generations(): Generator<Generation> {
    if (this.#frozen !== undefined) yield this.#frozen;
    yield this.#fresh;
  }

  /** What there is of a thread, oldest first. */
  *of(thread: number): Generator<UnappliedThread> {
    for (const generation of this.generations()) {
      const found = generation.get(thread);
      if (found !== undefined) yield found;
    }
  }

  lane(thread: number): UnappliedThread['lane'] {
    return this.#fresh.get(thread)?.lane ?? this.#frozen?.get(thread)?.lane;
  }

  record(thread: number, kind: string, id: string): UnappliedRecord | undefined {
    const name = nameOf(kind, id);
    return this.#fresh.get(thread)?.records.get(name) ?? this.#frozen?.get(thread)?.records.get(name);
  }

  /** Records of a kind as they are now, each with its thread; of one thread alone, if given. */
  *ofKind(kind: string, thread?: number): Generator<readonly [thread: number, record: UnappliedRecord]> {
    for (const generation of this.generations()) {
      for (const id of thread === undefined ? generation.keys() : [thread]) {
        const newer = generation === this.#fresh ? undefined : this.#fresh.get(id)?.records;
        for (const [name, record] of generation.get(id)?.records ?? []) {
          if (record.kind === kind && newer?.has(name) !== true) yield [id, record];
        }
      }
    }
  }

  lastChunk(thread: number): EventChunk | undefined {
    return this.#fresh.get(thread)?.chunks.at(-1) ?? this.#frozen?.get(thread)?.chunks.at(-1);
  }

  addLane(thread: number, text: string, index: LaneIndex): void {
    const to = this.#thread(thread);
    to.lane = { text, index };
    this.#count(to, text);
  }

  addRecord(thread: number, record: UnappliedRecord): void {
    const to = this.#thread(thread);
    to.records.set(nameOf(record.kind, record.id), record);
    this.#count(to, record.text ?? '');
  }

  addEvents(thread: number, chunk: EventChunk): void {
    const to = this.#thread(thread);
    to.chunks.push(chunk);
    this.#count(to, chunk.text);
  }

  drop(thread: number): void {
    this.#fresh.delete(thread);
    this.#frozen?.delete(thread);
  }

  /** What is fresh is to be applied next. Only when nothing is frozen. */
  freeze(): void {
    this.#frozen = this.#fresh;
    this.#fresh = new Map();
    this.#freshChars = 0;
  }

  thaw(): void {
    this.#frozen = undefined;
  }

  clear(): void {
    this.thaw();
    this.#fresh = new Map();
    this.#freshChars = 0;
  }

  #thread(id: number): UnappliedThread {
    let thread = this.#fresh.get(id);
    if (thread === undefined) {
      thread = { lane: undefined, records: new Map(), chunks: [], chars: 0 };
      this.#fresh.set(id, thread);
    }
    return thread;
  }

  #count(thread: UnappliedThread, text: string): void {
    thread.chars += text.length;
    this.#freshChars += text.length;
  }
}

function nameOf(kind: string, id: string): string {
  return `${kind}\t${id}`;
}
