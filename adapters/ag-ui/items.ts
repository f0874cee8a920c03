// Text, reasoning and tool calls: what streams between a start and an end. https://docs.ag-ui.com/spec/1.0/basic/patterns
import { EventType } from '@ag-ui/core';
import type { ItemId } from '../../schemas/id.ts';
import type { Json, JsonObject } from '../../schemas/json.ts';
import type { Role } from '../../schemas/message.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { pushNoResult } from './ending.ts';
import type { Fold, OpenItem } from './fold.ts';
import type { WireEvent } from './wire.ts';

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>;

type TextRole = 'developer' | 'system' | 'assistant' | 'user';

export function isTextRole(role: Role): role is TextRole {
  return role === 'developer' || role === 'system' || role === 'assistant' || role === 'user';
}

export interface Tagged {
  readonly type: string;
  readonly subagentId?: string | undefined;
  readonly metadata?: JsonObject | undefined;
  readonly raw?: Json | undefined;
}

export function extras({ metadata, raw }: Tagged): { metadata: JsonObject | undefined; rawEvent: Json | undefined } {
  return { metadata, rawEvent: raw ?? undefined };
}

/** Without its event it is text that an earlier stream began: a client appends to the message that it has. */
export function startText(fold: Fold, id: ItemId, event?: EventOf<'text.started'>): OpenItem {
  const role = event !== undefined && isTextRole(event.role) ? event.role : 'assistant';
  const start: WireEvent = {
    type: EventType.TEXT_MESSAGE_START,
    messageId: id,
    role,
    name: event?.name,
    subagentRunId: fold.ownerOf(id, event?.subagentId),
    ...(event === undefined ? {} : extras(event)),
  };
  return fold.openItem('text', id, { start, end: { type: EventType.TEXT_MESSAGE_END, messageId: id } });
}

export function startReasoning(fold: Fold, id: ItemId, event?: EventOf<'reasoning.started'>): OpenItem {
  const span = event?.spanId ?? id;
  fold.openSpan(span, fold.ownerOf(span, event?.subagentId));
  const subagentRunId = fold.ownerOf(id, event?.subagentId);
  fold.reasoning.add(id);
  const start: WireEvent = {
    type: EventType.REASONING_MESSAGE_START,
    messageId: id,
    role: 'reasoning',
    subagentRunId,
    ...(event === undefined ? {} : extras(event)),
  };
  return fold.openItem('reasoning', id, { start, end: { type: EventType.REASONING_MESSAGE_END, messageId: id }, span });
}

/** The text of a delta as JSON, by its event: every stream that tells it writes the same. */
const texts = new WeakMap<Delta, string>();

function jsonOf(event: Delta): string {
  let text = texts.get(event);
  if (text === undefined) texts.set(event, (text = JSON.stringify(event.delta)));
  return text;
}

type Delta = EventOf<'text.delta' | 'reasoning.delta' | 'tool.args'>;

export function pushDelta(fold: Fold, item: OpenItem, event: Delta): void {
  if (event.delta === '' && !fold.opening.profile.hasEmptyDeltas) return;
  if (event.metadata === undefined && event.raw === undefined) {
    fold.pushDelta(item, jsonOf(event));
    return;
  }
  const { id, delta } = event;
  switch (event.type) {
    case 'text.delta':
      fold.push({ type: EventType.TEXT_MESSAGE_CONTENT, messageId: id, delta, ...extras(event) });
      return;
    case 'reasoning.delta':
      fold.push({ type: EventType.REASONING_MESSAGE_CONTENT, messageId: id, delta, ...extras(event) });
      return;
    case 'tool.args':
      fold.push({ type: EventType.TOOL_CALL_ARGS, toolCallId: id, delta, ...extras(event) });
      return;
  }
}

export function endItem(fold: Fold, event: Tagged & { readonly id: ItemId }): void {
  closeItem(fold, event.id, extras(event));
}

export function closeItem(fold: Fold, id: ItemId, ending: Partial<ReturnType<typeof extras>> = {}): void {
  const item = fold.items.get(id);
  if (item === undefined) return;
  fold.items.delete(id);
  fold.push({ ...item.end, ...ending });
  if (item.span !== undefined) fold.closeSpan(item.span);
}

/** A call belongs to the message that carries it, and so to that message's owner. */
export function homeOf(
  fold: Fold,
  event: EventOf<'tool.started'>,
): { tag: string | undefined; parentMessageId: string | undefined } {
  const { id, subagentId, parentMessageId } = event;
  const hasKnownParent = parentMessageId !== undefined && fold.knows(parentMessageId);
  const parentTag = hasKnownParent ? fold.ownerOf(parentMessageId, subagentId) : undefined;
  if (hasKnownParent && !fold.knows(id)) fold.setOwner(id, parentTag);
  const tag = fold.ownerOf(id, subagentId);
  return { tag, parentMessageId: hasKnownParent && parentTag !== tag ? undefined : parentMessageId };
}

/** A result may go while its call stays. A call that goes is answered first: a consumer counts it until the run ends. */
export function discardCalls(fold: Fold, items: ReadonlySet<ItemId>): void {
  for (const [id, call] of fold.calls) {
    if (items.has(id)) {
      if (call.resultId === undefined) pushNoResult(fold, id, 'discarded');
      fold.calls.delete(id);
    } else if (call.resultId !== undefined && items.has(call.resultId)) {
      call.resultId = undefined;
    }
  }
}
