import type { ThreadKey } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { RecordChange } from './engine.ts';
import { chunksAbove, type EventChunk } from './event-chunk.ts';
import { parseEvents } from './record-text.ts';

/** Of each of the two: what a busy thread's own turns and live followers look at again. */
const maxChars = 256 * 1024;

/** Read once for all followers, and not at all where there is none. */
interface RecentChunk extends EventChunk {
  events?: readonly RunEvent[];
}

/** What was written to a thread while it is busy, so that its turns and its followers do not touch the disk. */
export class Recent {
  readonly #records = new Map<string, string | undefined>();
  #chunks: RecentChunk[] = [];
  #recordChars = 0;
  #chunkChars = 0;
  /** Whether the thread has no other records. */
  #isAll = false;

  get chars(): number {
    return this.#recordChars + this.#chunkChars;
  }

  /** The thread is new: it has nothing else. */
  begin(): void {
    this.clear();
    this.#isAll = true;
  }

  put({ kind, id, text }: Omit<RecordChange, 'filed'>): void {
    this.#records.set(nameOf(kind, id), text);
    this.#recordChars += text?.length ?? 0;
    if (this.#recordChars > maxChars) this.#forgetRecords();
  }

  push(chunk: EventChunk): void {
    this.#chunks.push({ ...chunk });
    this.#chunkChars += chunk.text.length;
    while (this.#chunkChars > maxChars && this.#chunks.length > 1) {
      this.#chunkChars -= this.#chunks.shift()?.text.length ?? 0;
    }
  }

  /** The record as it is now; undefined if only the engine can say. */
  find(kind: string, id: string): { readonly text: string | undefined } | undefined {
    const name = nameOf(kind, id);
    const text = this.#records.get(name);
    return text !== undefined || this.#isAll || this.#records.has(name) ? { text } : undefined;
  }

  /** Events above `after`; undefined if it does not go back that far. */
  read(thread: ThreadKey, after: number, limit: number): RunEvent[] | undefined {
    const oldest = this.#chunks[0];
    if (oldest === undefined || after < oldest.first - 1) return undefined;
    const events: RunEvent[] = [];
    for (const chunk of chunksAbove(this.#chunks, after, limit) as readonly RecentChunk[]) {
      chunk.events ??= parseEvents(chunk.text, { thread, kind: 'event', id: String(chunk.first) });
      const from = Math.max(0, after + 1 - chunk.first);
      events.push(...chunk.events.slice(from, from + limit - events.length));
    }
    return events;
  }

  clear(): void {
    this.#forgetRecords();
    this.#chunks = [];
    this.#chunkChars = 0;
  }

  #forgetRecords(): void {
    this.#records.clear();
    this.#recordChars = 0;
    this.#isAll = false;
  }
}

function nameOf(kind: string, id: string): string {
  return `${kind}\t${id}`;
}
