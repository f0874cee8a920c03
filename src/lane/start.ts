import type { ActivationRequest } from '../../schemas/activation.ts';
import type { MessageId } from '../../schemas/id.ts';
import type { Json } from '../../schemas/json.ts';
import type { Message, MessageInput } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { Started } from './command.ts';
import {
  type AttachedActivation,
  firstOf,
  type LaneClaim,
  type OpenRun,
  type QueuedActivation,
  type QueuedRun,
} from './lane.ts';
import { addAlias, type Base, findKnown, sameContent } from './reconcile.ts';
import { type RunStamp, stamp, type Turn } from './turn.ts';

/** Claims what is next on the thread, if anything may be executed now. */
export function claimNext(turn: Turn, offer: LaneClaim | undefined): Started | undefined {
  if (offer === undefined) return undefined;
  const given = givenTo(turn, offer);
  if (given !== undefined) return given;
  const open = turn.lane.open;
  if (open !== undefined) {
    if (open.phase.is !== 'ready' || open.phase.availableAtMs > turn.nowMs) return undefined;
    return goOn(turn, open, offer);
  }
  const next = firstOf(turn.lane.queue);
  if (next === undefined || next.availableAtMs > turn.nowMs) return undefined;
  return begin(turn, next, offer);
}

/** The claim that this offer was given before: who repeats a command is told again what it holds. */
export function givenTo(turn: Turn, offer: LaneClaim | undefined): Started | undefined {
  const open = turn.findHeld(offer?.token);
  return open === undefined ? undefined : startedOf(open, open.phase.claim);
}

function goOn(turn: Turn, open: OpenRun, claim: LaneClaim): Started {
  const attempt = open.attempt + 1;
  turn.setRun(open.runId, { attempt, status: 'running' });
  return startedOf(turn.setOpen({ attempt, phase: { is: 'running', claim } }), claim);
}

function startedOf(open: OpenRun, { token }: LaneClaim): Started {
  const { runId, agentId, attempt, turn, baseId, boundarySeq, firstSeq, startedBy } = open;
  return { runId, agentId, token, attempt, turn, baseId, boundarySeq, firstSeq, startedBy };
}

/** A run's first claim: from here it holds its lane, and its messages enter the thread. */
function begin(turn: Turn, queued: QueuedRun, claim: LaneClaim): Started {
  const { lane } = turn;
  const { runId, agentId } = queued;
  lane.queue = lane.queue.filter((run) => run.runId !== runId);
  const requests = queued.activations.map((activation) => turn.get('request', activation.id));
  const baseId = passKnown(turn, requests, resolveBase(turn, queued.base));
  const left = lane.left;
  const run = { runId, attempt: 1, token: claim.token };
  if (baseId !== lane.headId) turn.event({ type: 'thread.branched', headId: baseId });
  const ids = queued.activations.map((activation) => activation.id);
  const { state, workspace, settings } = turn.get('thread', '');
  const firstSeq = turn.event(
    { type: 'run.started', activations: ids, agentId, baseId, state: isOpinion(state) ? state : undefined },
    run,
  );
  const activations: AttachedActivation[] = queued.activations.map((one) => ({ ...one, fromSeq: firstSeq }));
  lane.headId = baseId;
  const messages: Message[] = [];
  for (const [index, request] of requests.entries()) {
    const activation = activations[index];
    if (activation === undefined) continue;
    messages.push(...enter(turn, activation.id, request, run));
    turn.setActivation(activation.id, { is: 'attached', runId, fromSeq: firstSeq });
  }
  const shared = takeState(turn, requests, run);
  lane.open = {
    runId,
    agentId,
    recovery: queued.recovery,
    takesInput: queued.takesInput,
    actor: queued.actor,
    door: queued.door,
    attempt: 1,
    failures: 0,
    interruptions: 0,
    turn: 0,
    baseId,
    firstSeq,
    startedBy: ids,
    entered: [],
    boundarySeq: lane.head,
    activations,
    tickets: [],
    priority: queued.priority,
    phase: { is: 'running', claim },
  };
  const continues = messages.some((message) => left?.toolCallIds.includes(message.toolCallId ?? ''))
    ? left?.runId
    : undefined;
  turn.setRun(runId, { status: 'running', attempt: 1, baseId, firstSeq, continues });
  return { ...startedOf(lane.open, claim), fresh: { requests, messages, state: shared, workspace, settings } };
}

function resolveBase(turn: Turn, base: Base): MessageId | undefined {
  if (base === 'root') return undefined;
  return base === undefined ? turn.lane.headId : base.at;
}

/** Steps over messages that the thread has got meanwhile, right behind the base: an edit that was sent twice, say. */
function passKnown(
  turn: Turn,
  requests: readonly ActivationRequest[],
  baseId: MessageId | undefined,
): MessageId | undefined {
  let at = baseId;
  for (const request of requests) {
    for (const input of request.messages) {
      const there = findThere(turn, request, input);
      if (there === undefined || there.parentId !== at) return at;
      at = there.id;
    }
  }
  return at;
}

/**
 * Adds a request's new messages to the thread, each behind the last, and moves the head to them. What the thread has
 * meanwhile recorded itself (the end of a run that was open when the client sent its copy) is not added again; the
 * activation says under which ids the messages are there, and what was left out.
 */
export function enter(turn: Turn, activationId: string, request: ActivationRequest, run: RunStamp): Message[] {
  const activation = turn.get('activation', activationId);
  const imported = new Set<string>();
  const messageIds: MessageId[] = [];
  const warnings = [...activation.warnings];
  const added: Message[] = [];
  for (const [index, input] of request.messages.entries()) {
    const { toolCallId, parts, error } = input;
    for (const call of input.toolCalls ?? []) imported.add(call.id);
    const isLeft = toolCallId !== undefined && isLeftToClient(turn, toolCallId);
    // A tool message counts for a call that was left to the client, or for one it brought along itself.
    if (input.role === 'tool' && !isLeft && !imported.has(toolCallId ?? '')) {
      warnings.push(`no open tool call has the id ${toolCallId}`);
      continue;
    }
    const there = findThere(turn, request, input);
    const planned = activation.messageIds[index];
    const isFree = planned !== undefined && turn.find('message', planned) === undefined;
    const id = there?.id ?? (isFree ? planned : `${activationId}:${index}`);
    messageIds.push(id);
    if (there !== undefined) continue;
    const message = addMessage(turn, input, id, { request, runId: run.runId });
    if (isLeft) {
      const status = error === undefined ? 'ok' : 'error';
      turn.event({ type: 'tool.result', id: toolCallId, messageId: id, status, parts, error, origin: 'client' }, run);
      answerLeft(turn, toolCallId);
    }
    turn.event({ type: 'message.added', message, activation: activationId }, run);
    added.push(message);
  }
  turn.put('activation', activationId, { ...activation, messageIds, warnings });
  return added;
}

/** Whether a run ended for this call's result, and its client has not given it yet. */
export function isLeftToClient(turn: Turn, toolCallId: string): boolean {
  return turn.lane.left?.toolCallIds.includes(toolCallId) === true;
}

/** A call has one result; it is no longer open then. */
function answerLeft(turn: Turn, toolCallId: string): void {
  const { left } = turn.lane;
  const toolCallIds = left?.toolCallIds.filter((id) => id !== toolCallId) ?? [];
  turn.lane.left = left === undefined || toolCallIds.length === 0 ? undefined : { ...left, toolCallIds };
}

/** The message of a client's copy that the thread has meanwhile. What is sent as new is new, whatever it is called. */
function findThere(turn: Turn, request: ActivationRequest, input: MessageInput): Message | undefined {
  if (request.messagesAre === 'new' || input.id === undefined) return undefined;
  const known = findKnown(turn, input.id, input);
  if (known?.role !== input.role || known.toolCallId !== input.toolCallId) return undefined;
  return known.role === 'user' && !sameContent(known, input) ? undefined : known;
}

function addMessage(
  turn: Turn,
  input: MessageInput,
  id: MessageId,
  from: { request: ActivationRequest; runId: string },
): Message {
  const { lane } = turn;
  lane.messages += 1;
  const { id: clientId, ...content } = input;
  const message: Message = {
    ...content,
    id,
    clientId: clientId === id ? undefined : clientId,
    parentId: lane.headId,
    seq: lane.messages,
    runId: from.runId,
    actor: from.request.actor,
    door: from.request.door,
  };
  turn.put('message', id, message);
  if (clientId !== undefined && clientId !== id) addAlias(turn, clientId, id);
  lane.headId = id;
  return message;
}

/** The thread's state as the run begins: a client's own copy replaces it, unless that is no opinion. */
function takeState(turn: Turn, requests: readonly ActivationRequest[], run: RunStamp): Json {
  const thread = turn.get('thread', '');
  const sent = requests.findLast((request) => isOpinion(request.state))?.state;
  if (sent === undefined || JSON.stringify(sent) === JSON.stringify(thread.state)) return thread.state;
  turn.put('thread', '', { ...thread, state: sent });
  turn.event({ type: 'state.snapshot', state: sent, origin: 'client' }, run);
  return sent;
}

function isOpinion(state: Json | undefined): boolean {
  if (state === undefined || state === null) return false;
  return !(typeof state === 'object' && !Array.isArray(state) && Object.keys(state).length === 0);
}

/** Input that the run takes in the middle: it belongs to it from here on. */
export function takePending(turn: Turn): Message[] {
  const open = turn.open();
  const run = stamp(open);
  const messages: Message[] = [];
  const attached: AttachedActivation[] = [];
  for (const input of [...turn.lane.inputs].toSorted((a, b) => a.order - b.order)) {
    const fromSeq = turn.event({ type: 'input.taken', activation: input.id }, run);
    messages.push(...enter(turn, input.id, turn.get('request', input.id), run));
    turn.setActivation(input.id, { is: 'attached', runId: open.runId, fromSeq });
    const { id, actor, door, endsAt, bytes } = input;
    attached.push({ id, actor, door, endsAt, bytes, fromSeq });
  }
  turn.lane.inputs = [];
  const record = turn.get('run', open.runId);
  turn.setRun(open.runId, { activations: [...record.activations, ...attached.map((one) => one.id)] });
  turn.setOpen({
    boundarySeq: turn.lane.head,
    activations: [...open.activations, ...attached],
  });
  return messages;
}

/** The record of a run that has not started. */
export function newRun(
  turn: Turn,
  run: { runId: string; agentId: string; agentVersion: string; activations: readonly QueuedActivation[] },
): Run {
  const { runId, agentId, agentVersion, activations } = run;
  return {
    id: runId,
    threadId: turn.lane.threadId,
    agentId,
    agentVersion,
    status: 'created',
    actor: activations[0]?.actor ?? '',
    attempt: 0,
    interruptions: 0,
    activations: activations.map((one) => one.id),
    rootRunId: runId,
    deliveries: [],
    createdAtMs: turn.lane.lastMs,
  };
}
