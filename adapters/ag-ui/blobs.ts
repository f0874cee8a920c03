import type { Part } from '../../schemas/part.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../../src/fault.ts';
import type { ThreadView } from '../../src/gateway.ts';
import type { Blobs } from './messages.ts';

interface BlobSource {
  readonly id: string;
  /** Base64 characters, where known. */
  readonly chars: number;
}

/** The blobs whose bytes the frames of an event may carry; the newest first, because a frame's size is limited. */
export function blobsOf(event: RunEvent | undefined, view: ThreadView | undefined): readonly BlobSource[] {
  const shown = view?.messages.filter(({ role }) => role === 'user' || role === 'tool') ?? [];
  const older = shown.toReversed().flatMap((message) => message.parts.toReversed());
  return [...(event === undefined ? [] : partsOf(event)), ...older].flatMap((part) => blobOf(part) ?? []);
}

function partsOf(event: RunEvent): readonly Part[] {
  switch (event.type) {
    case 'part.added':
      return [event.part];
    case 'tool.result':
    case 'artifact':
      return event.parts;
    case 'tool.updated':
      return event.content ?? [];
    default:
      return [];
  }
}

function blobOf(part: Part): BlobSource | undefined {
  if (part.type !== 'media' || part.source.at !== 'blob') return undefined;
  return { id: part.source.blob, chars: Math.ceil(((part.size ?? 0) * 4) / 3) };
}

/** Reads as many as one frame has room for. The others, and those that are gone, stay handles. */
export async function readBlobs(
  sources: readonly BlobSource[],
  read: (id: string) => Promise<string>,
  maxChars: number,
): Promise<Blobs> {
  const blobs = new Map<string, string>();
  let left = maxChars;
  for (const { id, chars } of sources) {
    if (blobs.has(id) || chars > left) continue;
    const data = await find(id, read);
    if (data === undefined || data.length > left) continue;
    left -= data.length;
    blobs.set(id, data);
  }
  return blobs;
}

async function find(id: string, read: (id: string) => Promise<string>): Promise<string | undefined> {
  try {
    return await read(id);
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'not-found') return undefined;
    throw thrown;
  }
}
