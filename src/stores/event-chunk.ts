import type { RunEvent } from '../../schemas/run-event.ts';

/** Consecutive events as the text of one JSON array. */
export interface EventChunk {
  readonly first: number;
  readonly last: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly text: string;
}

/** A page of a replay: no chunk holds more, however many events one call adds. */
export const maxChunkEvents = 250;

/** @throws TypeError where an event is no JSON */
export function chunksOf(events: readonly RunEvent[]): EventChunk[] {
  if (events.length === 0) return [];
  if (events.length <= maxChunkEvents) return [chunkOf(events)];
  const pages = Array.from({ length: Math.ceil(events.length / maxChunkEvents) }, (_, page) => page * maxChunkEvents);
  return pages.map((at) => chunkOf(events.slice(at, at + maxChunkEvents)));
}

/** What is left of some events behind a number; undefined for nothing. */
export function chunkBehind(events: readonly RunEvent[], upTo: number): EventChunk | undefined {
  const rest = events.filter((event) => event.seq > upTo);
  return rest.length === 0 ? undefined : chunkOf(rest);
}

/** Of consecutive chunks, those that hold the first `limit` events above `after`. */
export function chunksAbove(chunks: readonly EventChunk[], after: number, limit: number): readonly EventChunk[] {
  return chunks.slice(firstBehind(chunks, after), firstBehind(chunks, after + limit - 1) + 1);
}

/** The index of the first chunk that goes on behind a number. */
function firstBehind(chunks: readonly EventChunk[], seq: number): number {
  let [from, to] = [0, chunks.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((chunks[middle]?.last ?? 0) > seq) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** At least one. */
function chunkOf(events: readonly RunEvent[]): EventChunk {
  const first = events[0] as RunEvent;
  const last = events.at(-1) as RunEvent;
  const text = JSON.stringify(events);
  return { first: first.seq, last: last.seq, firstAtMs: first.atMs, lastAtMs: last.atMs, text };
}

const maxJoinedChars = 64 * 1024;

/** The same events in as few chunks as their limits allow. */
export function joinChunks(chunks: readonly EventChunk[]): EventChunk[] {
  const joined: EventChunk[] = [];
  let parts: EventChunk[] = [];
  let chars = 0;
  for (const chunk of chunks) {
    const first = parts[0]?.first ?? chunk.first;
    if (parts.length > 0 && (chars + chunk.text.length > maxJoinedChars || chunk.last - first >= maxChunkEvents)) {
      joined.push(joinedOf(parts));
      parts = [];
      chars = 0;
    }
    parts.push(chunk);
    chars += chunk.text.length;
  }
  if (parts.length > 0) joined.push(joinedOf(parts));
  return joined;
}

function joinedOf(parts: readonly EventChunk[]): EventChunk {
  const first = parts[0] as EventChunk;
  const last = parts.at(-1) as EventChunk;
  if (parts.length === 1) return first;
  const text = `[${parts.map((part) => part.text.slice(1, -1)).join(',')}]`;
  return { first: first.first, last: last.last, firstAtMs: first.firstAtMs, lastAtMs: last.lastAtMs, text };
}
