import type { Actor, Door, MessageId } from '../../schemas/id.ts';
import type { Message, MessageInput } from '../../schemas/message.ts';
import type { Part } from '../../schemas/part.ts';
import type { Turn } from './turn.ts';

/** Where new messages hang: the head as it is when their run starts, a message, or nothing (a new root). */
export type Base = { readonly at: MessageId } | 'root' | undefined;

export interface Reconciled {
  /** What the thread does not have, in the client's order. */
  readonly fresh: readonly MessageInput[];
  readonly base: Base;
}

/**
 * Holds a client's copy of a conversation against the thread, from its end: by id, because the thread may have grown
 * elsewhere. What follows the last known message is new. A known user message with other content, and a known user
 * message that ends the list with nothing after it (asked again), branch.
 */
export function reconcile(turn: Turn, list: readonly MessageInput[], caller: { actor: Actor; door: Door }): Reconciled {
  for (let index = list.length - 1; index >= 0; index--) {
    const message = list[index];
    const known = message?.id === undefined ? undefined : findKnown(turn, message.id, message);
    if (message === undefined || known === undefined) continue;
    const fresh = list.slice(index + 1);
    if (known.role === 'user' && !sameContent(known, message)) {
      return { fresh: [message, ...fresh], base: known.parentId === undefined ? 'root' : { at: known.parentId } };
    }
    if (known.role === 'user' && fresh.length === 0) return { fresh, base: { at: known.id } };
    return { fresh, base: followsHead(turn, known, caller) ? undefined : { at: known.id } };
  }
  return { fresh: list, base: followsHead(turn, undefined, caller) ? undefined : 'root' };
}

/** The message a client means by an id: one that says the same, or else the latest that it gave the id to. */
export function findKnown(turn: Turn, id: string, said?: MessageInput): Message | undefined {
  const ids = [id, ...(turn.find('alias', id)?.messageIds ?? [])];
  const known = ids.map((one) => turn.find('message', one)).filter((one) => one !== undefined);
  const same = said === undefined ? undefined : known.findLast((one) => sameContent(one, said));
  return same ?? known.at(-1);
}

/** Remembers that a client calls a message by an id that another one has. */
export function addAlias(turn: Turn, id: string, messageId: MessageId): void {
  turn.put('alias', id, { messageIds: [...(turn.find('alias', id)?.messageIds ?? []), messageId] });
}

/**
 * Whether new messages behind `anchor` go to the end of the thread although the thread goes on after the anchor. They do
 * when the client could not know that tail: it came through another door or from somebody else, or its run is still
 * open. A tail that the client itself had, and left out, is a branch.
 */
function followsHead(turn: Turn, anchor: Message | undefined, caller: { actor: Actor; door: Door }): boolean {
  const { open, headId } = turn.lane;
  if (open !== undefined && anchor?.runId === open.runId) return true;
  const from = open === undefined ? headId : open.baseId;
  let own = 0;
  for (let id = from; id !== anchor?.id;) {
    // Past the root without meeting the anchor: the client is on another branch.
    if (id === undefined) return false;
    const message = turn.get('message', id);
    // Only what a client brought in has a door.
    const { actor, door } = message;
    if (door !== undefined && (actor !== caller.actor || door !== caller.door)) return true;
    // Clients show activities, and do not send them back.
    if (message.role !== 'activity') own += 1;
    id = message.parentId;
  }
  return own === 0;
}

export function sameContent(known: Message, message: MessageInput): boolean {
  return JSON.stringify(known.parts.map(essence)) === JSON.stringify(message.parts.map(essence));
}

/** Whoever names a blob need not know its size. */
function essence(part: Part): Part {
  return part.type === 'media' && part.source.at === 'blob' ? { ...part, size: undefined } : part;
}
