// One row for every canonical event: what AG-UI is told of it, or why nothing.
// https://docs.ag-ui.com/spec/1.0/events https://docs.ag-ui.com/spec/1.0/basic/patterns
import { EventType } from '@ag-ui/core';
import type { EventType as CanonicalType, RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../../src/fault.ts';
import {
  artifactActivity,
  discardActivities,
  isWirePatch,
  patchActivity,
  pushActivity,
  setting,
  toolActivity,
} from './activities.ts';
import { type Material, pushInterrupt, pushMessages, pushOutcome, pushState, viewOf, wordingOf } from './ending.ts';
import { faultTable } from './faults.ts';
import type { Fold } from './fold.ts';
import {
  closeItem,
  discardCalls,
  endItem,
  extras,
  homeOf,
  isTextRole,
  pushDelta,
  startReasoning,
  startText,
  type Tagged,
} from './items.ts';
import { encodeParts, encodeToolContent, plainText, planType, wireId } from './messages.ts';
import type { WireEvent } from './wire.ts';

type EventOf<Type extends CanonicalType> = Extract<RunEvent, { type: Type }>;
type Row<Type extends CanonicalType> = ((fold: Fold, event: EventOf<Type>, material: Material) => void) | Dropped;

interface Dropped {
  readonly dropped: string;
}

export const encoded = {
  'message.added': (fold, event, material) => {
    const { message, activation } = event;
    const { role, name, metadata, subagentId } = message;
    const messageId = wireId(message);
    if (activation === fold.activation || fold.knows(messageId)) return;
    const text = textAlone(event);
    if (text === undefined || !isTextRole(role)) {
      pushMessages(fold, material);
      return;
    }
    const subagentRunId = fold.ownerOf(messageId, subagentId);
    fold.push({ type: EventType.TEXT_MESSAGE_START, messageId, role, name, subagentRunId, metadata });
    fold.push({ type: EventType.TEXT_MESSAGE_CONTENT, messageId, delta: text });
    fold.push({ type: EventType.TEXT_MESSAGE_END, messageId });
  },
  'run.queued': { dropped: 'RUN_STARTED was told when the request was accepted' },
  'run.started': { dropped: 'RUN_STARTED was told when the request was accepted' },
  'run.waiting': (fold, _event, material) => {
    pushInterrupt(fold, material);
  },
  'run.resumed': { dropped: 'what was open before is continued under its own ids' },
  'run.retrying': (fold, event) => {
    const { nextAttempt, retryAtMs, fault } = event;
    pushCustom(fold, event, 'anyport:retrying', { attempt: nextAttempt, retryAtMs, fault });
  },
  'attempt.discarded': (fold, event, material) => {
    const gone = new Set(event.itemIds);
    for (const id of gone) {
      fold.discarded.add(id);
      fold.untold.delete(id);
    }
    fold.closeAll('discarded');
    discardCalls(fold, gone);
    discardActivities(fold, gone);
    pushMessages(fold, material, { discarded: fold.discardReasoning(event.itemIds) });
    pushState(fold, viewOf(material).state);
  },
  'run.stopping': { dropped: 'the outcome says that it was stopped' },
  'run.finished': (fold, event, material) => {
    if (fold.untold.size > 0) pushMessages(fold, material);
    pushOutcome(fold, event.outcome);
  },
  'ticket.opened': { dropped: 'told with all others when the run waits' },
  'ticket.closed': { dropped: 'an interrupt ends with the run that told it' },
  'text.started': (fold, event) => {
    startText(fold, event.id, event);
  },
  'text.delta': (fold, event) => {
    pushDelta(fold, fold.items.get(event.id) ?? startText(fold, event.id), event);
  },
  'text.ended': (fold, event) => {
    endItem(fold, event);
  },
  'part.added': (fold, event, material) => {
    const [part] = encodeParts([event.part], material.blobs);
    if (part === undefined) return;
    const { messageId: item, seq } = event;
    const empty = { messageId: item };
    pushActivity(
      fold,
      event,
      { item, id: `${item}:part:${seq}`, activityType: 'anyport:part', empty },
      { ...empty, part },
    );
  },
  'reasoning.started': (fold, event) => {
    startReasoning(fold, event.id, event);
  },
  'reasoning.delta': (fold, event) => {
    pushDelta(fold, fold.items.get(event.id) ?? startReasoning(fold, event.id), event);
  },
  'reasoning.ended': (fold, event) => {
    endItem(fold, event);
  },
  encrypted: (fold, event) => {
    const { entity: subtype, id: entityId, value: encryptedValue } = event;
    fold.push({ type: EventType.REASONING_ENCRYPTED_VALUE, subtype, entityId, encryptedValue, ...extras(event) });
  },
  'tool.started': (fold, event) => {
    const { id, name, title, kind } = event;
    const { tag, parentMessageId } = homeOf(fold, event);
    const described =
      title === undefined && kind === undefined ? event.metadata : { ...event.metadata, anyport: { title, kind } };
    fold.calls.set(id, {});
    const start: WireEvent = {
      type: EventType.TOOL_CALL_START,
      toolCallId: id,
      toolCallName: name,
      parentMessageId,
      subagentRunId: tag,
      ...extras(event),
      metadata: described,
    };
    fold.openItem('call', id, { start, end: { type: EventType.TOOL_CALL_END, toolCallId: id } });
  },
  'tool.args': (fold, event) => {
    const call = fold.items.get(event.id);
    if (call === undefined) {
      // Only its start could open it again, and some clients take a second start for a second call.
      fold.untold.add(event.id);
      return;
    }
    call.args += event.delta;
    pushDelta(fold, call, event);
  },
  'tool.called': (fold, event, material) => {
    const call = fold.items.get(event.id);
    const isContinued = call !== undefined && event.args.startsWith(call.args);
    if (isContinued && event.args.length > call.args.length)
      fold.pushDelta(call, JSON.stringify(event.args.slice(call.args.length)));
    if (call !== undefined) endItem(fold, event);
    fold.untold.delete(event.id);
    if (!isContinued) pushMessages(fold, material);
  },
  'tool.updated': (fold, event, material) => {
    const { id, status, title, locations, content } = event;
    const parts = content === undefined ? undefined : encodeParts(content, material.blobs);
    patchActivity(fold, event, toolActivity(id), setting({ status, title, locations, content: parts }));
  },
  'tool.output': (fold, event) => {
    const { id, stream, delta } = event;
    patchActivity(fold, event, toolActivity(id), [{ op: 'add', path: '/output/-', value: { stream, delta } }]);
  },
  'tool.result': (fold, event, material) => {
    const { id, messageId, status, parts, origin } = event;
    if (origin === 'client' && fold.opening.copy?.answeredCalls.has(id) === true) return;
    const call = fold.calls.get(id);
    if (call !== undefined) call.resultId = messageId;
    closeItem(fold, id);
    const error = event.error ?? (status === 'ok' ? undefined : status);
    const failed = error === undefined ? event.metadata : { ...event.metadata, anyport: { status, error } };
    fold.push({
      type: EventType.TOOL_CALL_RESULT,
      messageId,
      toolCallId: id,
      content: encodeToolContent(parts, error, wordingOf(fold, material)),
      role: 'tool',
      subagentRunId: fold.ownerOf(messageId, event.subagentId),
      ...extras(event),
      metadata: failed,
    });
  },
  'state.snapshot': (fold, event) => {
    pushState(fold, event.state, event.subagentId);
  },
  'state.delta': (fold, event, material) => {
    const { patch, subagentId } = event;
    if (!isWirePatch(patch)) {
      pushState(fold, viewOf(material).state, subagentId);
      return;
    }
    fold.push({ type: EventType.STATE_DELTA, delta: patch, subagentRunId: fold.tag(subagentId), ...extras(event) });
  },
  plan: (fold, event) => {
    const { planId: id, entries } = event;
    pushActivity(fold, event, { item: id, id, activityType: planType, empty: { entries: [] } }, { entries });
  },
  'activity.snapshot': (fold, event) => {
    const { id, activityType, content, replace } = event;
    pushActivity(fold, event, { item: id, id, activityType, empty: {} }, content, replace);
  },
  'activity.delta': (fold, event) => {
    const { id, activityType, patch } = event;
    if (!isWirePatch(patch)) {
      fold.opening.lost('a change of an activity that is no JSON Patch in AG-UI');
      return;
    }
    fold.changeActivity(id, patch);
    fold.push({ type: EventType.ACTIVITY_DELTA, messageId: id, activityType, patch, ...extras(event) });
  },
  artifact: (fold, event, material) => {
    const { id, name, description, append, last } = event;
    const parts = encodeParts(event.parts, material.blobs);
    const activity = artifactActivity(id);
    if (!append) {
      pushActivity(fold, event, activity, { name, description, parts, isComplete: last });
      return;
    }
    const added = parts.map((part) => ({ op: 'add' as const, path: '/parts/-', value: part }));
    patchActivity(fold, event, activity, [...added, ...setting({ name, description, isComplete: last })]);
  },
  'step.started': (fold, event) => {
    const { name } = event;
    const subagentRunId = fold.tag(event.subagentId);
    fold.openStep(name, { type: EventType.STEP_STARTED, stepName: name, subagentRunId, ...extras(event) });
  },
  'step.finished': (fold, event) => {
    const step = fold.steps.get(event.name);
    if (step === undefined) return;
    fold.steps.delete(event.name);
    fold.push({ ...step.end, ...extras(event) });
  },
  'subagent.started': (fold, event) => {
    if (!fold.opening.profile.hasSubagents) {
      fold.opening.lost('that subagents start and finish');
      return;
    }
    const { id, name, description, parentId, parentToolCallId } = event;
    const parent = fold.tag(parentId);
    const parentSubagentRunId = parent !== undefined && fold.hasStarted(parent) ? parent : undefined;
    const started = { name, description, parentSubagentRunId, parentToolCallId, ...extras(event) };
    fold.openSubagent(id, (subagentRunId) => ({ type: EventType.SUBAGENT_STARTED, subagentRunId, ...started }));
  },
  'subagent.finished': (fold, event) => {
    const subagentRunId = takeSubagent(fold, event.id);
    if (subagentRunId === undefined) return;
    const { suspended, result } = event;
    const outcome =
      suspended === undefined ? { type: 'success' as const } : { type: 'suspended' as const, interruptIds: suspended };
    fold.push({
      type: EventType.SUBAGENT_FINISHED,
      subagentRunId,
      outcome,
      result: result ?? undefined,
      ...extras(event),
    });
  },
  'subagent.failed': (fold, event) => {
    const subagentRunId = takeSubagent(fold, event.id);
    if (subagentRunId === undefined) return;
    const { message, code } = Fault.fromRecord(event.fault);
    fold.push({
      type: EventType.SUBAGENT_ERROR,
      subagentRunId,
      message,
      code: faultTable[code].code,
      ...extras(event),
    });
  },
  usage: (fold, event) => {
    fold.usage.add(event.provider, event.model, event.tokens);
  },
  'thread.changed': (fold, event) => {
    const { title, settings, workspace, commands } = event;
    pushCustom(fold, event, 'anyport:thread-changed', { title, settings, workspace, commands });
  },
  'thread.branched': (fold, event) => {
    pushCustom(fold, event, 'anyport:thread-branched', { headId: event.headId });
  },
  notice: (fold, event) => {
    pushCustom(fold, event, 'anyport:notice', { level: event.level, text: event.text });
  },
  compaction: (fold, event) => {
    const { summary, upToMessageId } = event;
    pushCustom(fold, event, 'anyport:compaction', { summary, upToMessageId });
  },
  custom: (fold, event) => {
    pushCustom(fold, event, event.name, event.value);
  },
  raw: (fold, event) => {
    const { event: original, source, subagentId } = event;
    fold.push({ type: EventType.RAW, event: original, source, subagentRunId: fold.tag(subagentId), ...extras(event) });
  },
  'input.staged': (fold, event) => {
    const { activation, messageIds, actor, door } = event;
    pushCustom(fold, event, 'anyport:input-staged', { activation, messageIds, actor, door });
  },
  'input.taken': (fold, event) => {
    pushCustom(fold, event, 'anyport:input-taken', { activation: event.activation });
  },
  'input.edited': (fold, event) => {
    pushCustom(fold, event, 'anyport:input-edited', { activation: event.activation, revision: event.revision });
  },
  'input.retracted': (fold, event) => {
    pushCustom(fold, event, 'anyport:input-retracted', { activation: event.activation });
  },
} as const satisfies { readonly [Type in CanonicalType]: Row<Type> };

/** Whether the row of an event needs the thread as of that event. */
export function needsThread(fold: Fold, event: RunEvent): boolean {
  switch (event.type) {
    case 'run.waiting':
    case 'attempt.discarded':
      return true;
    case 'run.finished':
      return fold.untold.size > 0;
    case 'message.added': {
      const { message, activation } = event;
      const isTold = activation === fold.activation || fold.knows(wireId(message));
      return !isTold && (textAlone(event) === undefined || !isTextRole(message.role));
    }
    case 'tool.called': {
      const call = fold.items.get(event.id);
      return call === undefined || !event.args.startsWith(call.args);
    }
    case 'state.delta':
      return !isWirePatch(event.patch);
    default:
      return false;
  }
}

/** The text of a message that is nothing but text: what a triad of text events can build, and reads back as it was. */
function textAlone({ message }: EventOf<'message.added'>): string | undefined {
  const hasCalls = message.toolCalls !== undefined && message.toolCalls.length > 0;
  return hasCalls ? undefined : plainText(message.parts);
}

function takeSubagent(fold: Fold, id: string): string | undefined {
  const subagent = fold.subagents.get(id);
  fold.subagents.delete(id);
  return subagent?.wireId;
}

function pushCustom(fold: Fold, event: Tagged, name: string, value: unknown): void {
  fold.push({ type: EventType.CUSTOM, name, value, subagentRunId: fold.tag(event.subagentId), ...extras(event) });
}
