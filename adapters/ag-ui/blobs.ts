import type { Part } from '../../schemas/part.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../../src/fault.ts';
import type { ThreadView } from '../../src/gateway.ts';
import type { Blobs } from './messages.ts';

export interface BlobSource {
  readonly id: string;
  readonly mimeType: string;
  /** Base64 characters, where known. */
  readonly chars: number;
}

/** The blobs whose bytes the frames of an event may carry; the newest first, because a frame's size is limited. */
export function blobsOf(event: RunEvent | undefined, view: ThreadView | undefined): readonly BlobSource[] {
  const shown = view?.messages.filter(({ role }) => role === 'user' || role === 'tool' || role === 'activity') ?? [];
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
  const { source, mimeType = 'application/octet-stream', size = 0 } = part;
  return { id: source.blob, mimeType, chars: Math.ceil((size * 4) / 3) };
}

export interface BlobReader {
  read(id: string): Promise<string>;
  /** Undefined: there are no links. */
  linkTo(source: BlobSource): string | undefined;
}

/** Reads as many as one frame has room for. The others are linked; without links they, and those that are gone, stay handles. */
export async function readBlobs(sources: readonly BlobSource[], reader: BlobReader, maxChars: number): Promise<Blobs> {
  const blobs = new Map<string, string | { readonly url: string }>();
  let left = maxChars;
  for (const source of sources) {
    const { id, chars } = source;
    if (blobs.has(id)) continue;
    const data = chars > left ? undefined : await find(id, reader);
    if (data !== undefined && data.length <= left) {
      left -= data.length;
      blobs.set(id, data);
      continue;
    }
    const url = data === undefined && chars <= left ? undefined : reader.linkTo(source);
    if (url !== undefined) blobs.set(id, { url });
  }
  return blobs;
}

async function find(id: string, reader: BlobReader): Promise<string | undefined> {
  try {
    return await reader.read(id);
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'not-found') return undefined;
    throw thrown;
  }
}
