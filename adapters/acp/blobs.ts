// Media whose bytes are kept apart are carried inline: ACP has no links that a client could load with its own rights.
import type { Message } from '../../schemas/message.ts';
import type { Part } from '../../schemas/part.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../../src/fault.ts';

type Holder = RunEvent | Omit<Message, 'seq'>;

const none: readonly Part[] = [];

/** Whether something must be read before this can be told. */
export function hasBlobs(holder: Holder): boolean {
  return partsOf(holder).some(isBlob);
}

/**
 * The same with its blobs inline. A blob that is not there stays as it is, and is named where it would be shown.
 * @throws whatever `read` does, but Fault `not-found`
 */
export async function withMedia<Some extends Holder>(
  holder: Some,
  read: (blob: string) => Promise<string>,
): Promise<Some> {
  const parts = await Promise.all(partsOf(holder).map((part) => inline(part, read)));
  return withParts(holder, parts) as Some;
}

function isBlob(part: Part): boolean {
  return part.type === 'media' && part.source.at === 'blob';
}

function partsOf(holder: Holder): readonly Part[] {
  if (!('type' in holder)) return holder.parts;
  switch (holder.type) {
    case 'message.added':
      return holder.message.parts;
    case 'part.added':
      return [holder.part];
    case 'tool.updated':
      return holder.content ?? none;
    case 'tool.result':
    case 'artifact':
      return holder.parts;
    default:
      return none;
  }
}

function withParts(holder: Holder, parts: Part[]): Holder {
  if (!('type' in holder)) return { ...holder, parts };
  switch (holder.type) {
    case 'message.added':
      return { ...holder, message: { ...holder.message, parts } };
    case 'part.added': {
      const [part = holder.part] = parts;
      return { ...holder, part };
    }
    case 'tool.updated':
      return holder.content === undefined ? holder : { ...holder, content: parts };
    case 'tool.result':
    case 'artifact':
      return { ...holder, parts };
    default:
      return holder;
  }
}

async function inline(part: Part, read: (blob: string) => Promise<string>): Promise<Part> {
  if (part.type !== 'media' || part.source.at !== 'blob') return part;
  try {
    return { ...part, source: { at: 'inline', data: await read(part.source.blob) } };
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'not-found') return part;
    throw thrown;
  }
}
