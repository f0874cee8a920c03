// Snapshots, and how a run ends on the wire: exactly one terminal event, with nothing left open before RUN_FINISHED.
// https://docs.ag-ui.com/spec/1.0/events/lifecycle https://docs.ag-ui.com/concepts/interrupts
import { EventType, type Message } from '@ag-ui/core';
import type { ItemId } from '../../schemas/id.ts';
import type { Json } from '../../schemas/json.ts';
import type { Completed, Outcome } from '../../schemas/run.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { Fault } from '../../src/fault.ts';
import type { ThreadView } from '../../src/gateway.ts';
import { faultTable } from './faults.ts';
import { isObject } from './field.ts';
import type { Fold } from './fold.ts';
import { encodeInterrupt } from './interrupt.ts';
import { type Blobs, encodeMessage, wireId, type Wording } from './messages.ts';
import type { WireMessage } from './wire.ts';

/** What an event needs beside itself: the thread as of it, and the bytes that it and the thread name. */
export interface Material {
  readonly view?: ThreadView | undefined;
  readonly blobs: Blobs;
}

type Shown = ThreadView['messages'][number];

export function wordingOf(fold: Fold, { blobs }: Material): Wording {
  const { profile, lost } = fold.opening;
  return { profile, lost, blobs };
}

export function viewOf({ view }: Material): ThreadView {
  if (view === undefined) throw new Fault('internal', 'an event that needs the thread came without it');
  return view;
}

export function pushState(fold: Fold, state: Json, subagentId?: string): void {
  fold.push({ type: EventType.STATE_SNAPSHOT, snapshot: state, subagentRunId: fold.tag(subagentId) });
}

/**
 * The whole conversation. `discarded` names reasoning that no longer counts: a client keeps reasoning that a snapshot
 * without any leaves out, so it is then restated as empty. So it does with activities, unless the snapshot is for a
 * newcomer: then these are all that there are. Its open calls are left out: some clients would have them twice.
 */
export function pushMessages(
  fold: Fold,
  material: Material,
  { discarded = [], newcomer = false }: { readonly discarded?: readonly ItemId[]; readonly newcomer?: boolean } = {},
): void {
  const openCalls = newcomer ? fold.openCalls : undefined;
  const wording = wordingOf(fold, material);
  const messages: WireMessage[] = [];
  const used = new Set<string>();
  for (const all of viewOf(material).messages) {
    const message = openCalls === undefined ? all : withoutCalls(all, openCalls, fold);
    if (message === undefined || (message.role === 'activity' && !newcomer)) continue;
    const id = wireId(message);
    // Two messages that one client called the same: the later one keeps its own name.
    const renamed = used.has(id) ? { ...message, clientId: undefined } : message;
    const encoded = encodeMessage(renamed, wording);
    if (encoded === undefined) continue;
    if (encoded.role === 'activity') fold.shown(encoded.id);
    used.add(encoded.id);
    messages.push(attribute(fold, encoded, message.subagentId));
  }
  if (!messages.some((message) => message.role === 'reasoning')) {
    for (const id of discarded) messages.push(attribute(fold, { id, role: 'reasoning', content: '' }, undefined));
  }
  fold.push({ type: EventType.MESSAGES_SNAPSHOT, messages: messages as Message[] });
}

/** Undefined: it is made of such calls alone. What begins with them is begun by their start. */
function withoutCalls(message: Shown, calls: ReadonlySet<ItemId>, fold: Fold): Shown | undefined {
  const toolCalls = message.toolCalls?.filter((call) => !calls.has(call.id));
  if (toolCalls?.length === message.toolCalls?.length) return message;
  // A call that belongs to no message has one of its own id.
  const isOpen = fold.items.has(message.id) && !calls.has(message.id);
  const isEmpty = toolCalls?.length === 0 && message.parts.length === 0 && !isOpen;
  return isEmpty ? undefined : { ...message, toolCalls: toolCalls?.length === 0 ? undefined : toolCalls };
}

/** Keeps the owner that the stream has told: a snapshot that disagrees would make its continuation a violation. */
function attribute(fold: Fold, message: WireMessage, subagentId: string | undefined): WireMessage {
  const subagentRunId = fold.ownerOf(message.id, subagentId);
  if (message.role === 'assistant') for (const call of message.toolCalls ?? []) fold.setOwner(call.id, subagentRunId);
  return { ...message, subagentRunId };
}

/** A call that nobody will answer gets an empty result: a consumer takes one without for the client's to execute. */
export function pushNoResult(fold: Fold, toolCallId: ItemId, why: 'discarded' | 'unanswered'): void {
  const messageId = `${toolCallId}:${why}`;
  fold.calls.set(toolCallId, { resultId: messageId });
  fold.push({
    type: EventType.TOOL_CALL_RESULT,
    messageId,
    toolCallId,
    content: '',
    role: 'tool',
    metadata: { anyport: { status: 'cancelled', reason: why } },
  });
}

/** Restates state and messages, and asks all that is open. */
export function pushInterrupt(fold: Fold, material: Material): void {
  const view = viewOf(material);
  fold.closeAll({ suspendedBy: (subagentId) => ticketsOf(openTickets(view), subagentId) });
  pushState(fold, view.state);
  pushMessages(fold, material);
  pushQuestions(fold, view);
}

export function pushQuestions(fold: Fold, view: ThreadView): void {
  const { warnings = [] } = fold.opening;
  const problemWith = (id: string): string | undefined => {
    const told = `${id}: `;
    return warnings.find((warning) => warning.startsWith(told))?.slice(told.length);
  };
  const [first, ...rest] = openTickets(view).map((ticket) =>
    encodeInterrupt(ticket, (id) => fold.tag(id) ?? id, problemWith(ticket.id)),
  );
  if (first === undefined) throw new Fault('internal', 'a run waits, and no question is open');
  const { threadId, runId } = fold.opening;
  fold.push({
    type: EventType.RUN_FINISHED,
    threadId,
    runId,
    outcome: { type: 'interrupt', interrupts: [first, ...rest] },
    usage: fold.usage.total,
  });
}

function openTickets({ tickets }: ThreadView): Ticket[] {
  return tickets.filter((ticket) => ticket.closed === undefined);
}

function ticketsOf(tickets: readonly Ticket[], subagentId: string): string[] {
  return tickets.filter((ticket) => ticket.subagentId === subagentId).map((ticket) => ticket.id);
}

export function pushOutcome(fold: Fold, outcome: Outcome): void {
  switch (outcome.type) {
    case 'completed':
      pushCompleted(fold, outcome);
      return;
    case 'cancelled':
      pushStopped(fold, { code: 'CANCELLED', message: 'the run was cancelled', reason: outcome.reason });
      return;
    case 'failed':
      pushFault(fold, Fault.fromRecord(outcome.fault));
      return;
  }
}

function pushCompleted(fold: Fold, outcome: Completed): void {
  switch (outcome.stop) {
    case 'end_turn':
      pushSuccess(fold, outcome, outcome.result);
      return;
    case 'refusal':
      pushSuccess(fold, outcome, refusalOf(outcome.result));
      return;
    case 'max_tokens':
    case 'max_turns':
    case 'timeout':
      pushStopped(fold, { code: 'LIMIT', message: `the run reached a limit: ${outcome.stop}`, reason: outcome.stop });
      return;
  }
}

function refusalOf(result: Json | undefined): Json {
  const given: { [key: string]: Json } = isObject(result) ? { ...result } : {};
  if (result !== undefined && !isObject(result)) given['value'] = result;
  return { ...given, stopReason: 'refusal' };
}

function pushSuccess(fold: Fold, outcome: Completed, result: Json | undefined): void {
  const { profile, lost, threadId, runId } = fold.opening;
  fold.closeAll('ended');
  const left = outcome.pendingToolCalls.filter((id) => fold.calls.get(id)?.resultId === undefined);
  for (const [id, { resultId }] of fold.calls) {
    if (resultId === undefined && !left.includes(id)) pushNoResult(fold, id, 'unanswered');
  }
  const pendingToolCallIds = profile.pendingToolCalls(left, lost);
  fold.push({
    type: EventType.RUN_FINISHED,
    threadId,
    runId,
    outcome: { type: 'success', ...(pendingToolCallIds === undefined ? {} : { pendingToolCallIds }) },
    result: result ?? undefined,
    usage: fold.usage.total,
  });
}

export function pushStopped(
  fold: Fold,
  why: { readonly code: 'CANCELLED' | 'LIMIT'; readonly message: string; readonly reason: string },
): void {
  const { profile, threadId, runId } = fold.opening;
  fold.closeAll('stopped');
  fold.push(profile.stopped({ threadId, runId, usage: fold.usage.total, ...why }));
}

/** What is open stays open: closing a call whose arguments are cut off would hand it to the client as complete. */
export function pushFault(fold: Fold, { code, message, retryable }: Fault): void {
  fold.push({
    type: EventType.RUN_ERROR,
    message,
    code: faultTable[code].code,
    usage: fold.usage.total,
    metadata: { anyport: { retryable } },
  });
}
