import type { Activation, ActivationRequest } from '../../schemas/activation.ts';
import type { MessageInput } from '../../schemas/message.ts';
import type { ActivationId, RunId } from '../../schemas/id.ts';
import { Fault } from '../fault.ts';
import type { Command, Outcomes, Rules } from './command.ts';
import { courseOf, type EndedRun, isOwnWord, type Said } from './course.ts';
import { type QueuedActivation, type QueuedRun, waitingOn } from './lane.ts';
import { type Base, findKnown, reconcile } from './reconcile.ts';
import { claimNext, enter, givenTo, newRun } from './start.ts';
import { stopOpen, supersedeQueued } from './stop.ts';
import { goOnAfterAnswer, isStopped, resumeBy, tryDecision, waitAgain } from './tickets.ts';
import { stamp, type Turn } from './turn.ts';

type Accept = Command<'accept'>;
type Accepted = Outcomes['accept'];

/** Takes one request in, or finds that it was taken before. What it becomes depends on what the thread is doing. */
export function accept(turn: Turn, command: Accept, rules: Rules, isNew: boolean): Accepted {
  const { request } = command;
  const id = `${request.door}:${request.key}`;
  const known = turn.find('activation', id);
  if (known !== undefined) return { ...repeated(turn, known, command.digest), started: givenTo(turn, command.offer) };
  const { lane } = turn;
  const joined = findJoined(turn, command);
  const { expectedRunId } = request;
  if (expectedRunId !== undefined && lane.open?.runId !== expectedRunId && joined?.runId !== expectedRunId) {
    throw new Fault('run-conflict', `${expectedRunId} is not the open run`);
  }
  if (isNew) createThread(turn, request);
  for (const blob of command.blobs) turn.put('blob', blob.id, { data: blob.data });

  const { fresh, base } = arrange(turn, request);
  const course = courseOf(turn, command, { fresh, base });
  const isInput = course.is === 'apart' && steers(turn, command, base);
  // What a client's copy holds beyond its own words is, here, what the run that asked, or that runs, has just written.
  const messages =
    course.is === 'apart'
      ? fresh.filter((message) => !isInput || isOwnWord(turn, request, message))
      : fresh.filter((message) => message.role === 'user');
  const runId = joined?.runId ?? command.ids.runId;
  const activation: Activation = {
    id,
    door: request.door,
    key: request.key,
    actor: request.actor,
    agentId: request.agentId,
    digest: command.digest,
    acceptedAtMs: lane.lastMs,
    logId: lane.logId,
    afterSeq: lane.head,
    endsAt: request.endsAt,
    revision: 1,
    warnings: [],
    received: { became: 'queued', runId, blockedBy: [] },
    messageIds: nameMessages(turn, messages, command.ids.messageIds),
    state: { is: 'queued', runId },
  };
  turn.put('request', id, {
    ...request,
    base: undefined,
    messages: [...messages],
    toolResults: [],
  });
  turn.put('activation', id, activation);
  const { actor, door, endsAt } = request;
  const queued: QueuedActivation = { id, actor, door, endsAt, bytes: command.bytes };
  switch (course.is) {
    case 'continues':
      return attach(turn, command, queued);
    case 'over':
      return answerAtOnce(turn, command, queued, course.run);
    case 'apart':
      return enqueue(turn, command, rules, { queued, base, isInput, joined, runId });
  }
}

/** The run of the same actor that waits to start and that the request is for: it says more of what that run is to do. */
function findJoined({ lane }: Turn, { request, agent }: Accept): QueuedRun | undefined {
  const { actor, whenBusy, bound, messagesAre, base } = request;
  if (whenBusy !== 'steer' || messagesAre !== 'new' || base !== undefined) return undefined;
  return lane.queue.find((run) => run.runId === bound && run.agentId === agent.id && run.actor === actor);
}

function repeated(turn: Turn, activation: Activation, digest: string): Accepted {
  if (activation.digest !== digest) {
    throw new Fault('request-conflict', `the request id ${activation.key} was used before with another body`);
  }
  const { state } = activation;
  const was = 'repeated';
  switch (state.is) {
    case 'queued':
    case 'pending': {
      const blockedBy = blockers(turn);
      const became = state.is === 'pending' ? 'pending' : blockedBy.length > 0 ? 'blocked' : 'queued';
      return { activation, was, became, blockedBy };
    }
    case 'attached':
      return { activation, was, became: 'running', blockedBy: [] };
    case 'answered':
      return { activation, was, became: 'answered', blockedBy: [] };
    case 'retracted':
      return { activation, was, became: 'answered', blockedBy: [] };
  }
}

function createThread(turn: Turn, request: ActivationRequest): void {
  turn.put('thread', '', {
    scope: request.scope,
    id: request.threadId,
    contextId: request.threadId,
    settings: { options: {} },
    state: {},
    metadata: {},
    createdAtMs: turn.lane.lastMs,
  });
}

/** What the request adds, and where: a client's whole copy is reconciled; results of its tools come first. */
function arrange(turn: Turn, request: ActivationRequest): Said {
  const results = request.toolResults.map(({ toolCallId, messageId, parts, error, metadata }): MessageInput => ({
    id: messageId,
    role: 'tool',
    toolCallId,
    parts,
    error,
    metadata,
  }));
  if (request.messagesAre === 'whole') {
    const { fresh, base } = reconcile(turn, request.messages, request);
    return { fresh: [...results, ...fresh], base };
  }
  if (request.base !== undefined && turn.find('message', request.base) === undefined) {
    throw new Fault('not-found', `no message has the id ${request.base}`, { path: 'base' });
  }
  const base = request.base === undefined ? undefined : { at: request.base };
  return { fresh: [...results, ...request.messages], base };
}

/** A client's message id is kept where it is free in the thread. */
function nameMessages(turn: Turn, fresh: readonly MessageInput[], ours: readonly string[]): string[] {
  const named = new Set<string>();
  return fresh.map((message, index) => {
    const free = message.id !== undefined && !named.has(message.id) && findKnown(turn, message.id) === undefined;
    const id = free && message.id !== undefined ? message.id : ours[index];
    if (id === undefined) throw new Fault('internal', 'too few message ids were minted');
    named.add(id);
    return id;
  });
}

/** Each answer is judged alone: one that names no open question, or does not fit it, is set aside with a warning. */
function judge(turn: Turn, { request, decisions }: Accept): { warnings: string[]; complete: boolean } {
  const by = { actor: request.actor, door: request.door, origin: request.origin };
  const warnings: string[] = [];
  let complete = false;
  for (const decision of decisions) {
    const result = tryDecision(turn, decision, by);
    if ('problem' in result) warnings.push(result.problem);
    else complete = result.complete || complete;
  }
  return { warnings, complete };
}

/** The request is the open run's from here on. One that is being stopped does not go on for it. */
function attach(turn: Turn, command: Accept, queued: QueuedActivation): Accepted {
  const { id } = queued;
  const fromSeq = turn.lane.head + 1;
  const { warnings, complete } = judge(turn, command);
  const open = turn.open();
  if (!isStopped(turn)) turn.event({ type: 'run.resumed', cause: 'decision', activation: id }, stamp(open));
  turn.put('activation', id, {
    ...turn.get('activation', id),
    warnings,
    state: { is: 'attached', runId: open.runId, fromSeq },
  });
  turn.setRun(open.runId, { activations: [...turn.get('run', open.runId).activations, id] });
  turn.setOpen({ activations: [...open.activations, { ...queued, fromSeq }] });
  const entered = enter(turn, id, turn.get('request', id), stamp(open)).map((message) => message.id);
  turn.setOpen({ entered: [...open.entered, ...entered] });
  if (complete) goOnAfterAnswer(turn);
  else waitAgain(turn);
  const started = claimNext(turn, command.offer);
  return { ...receive(turn, id, { became: 'running', runId: open.runId, blockedBy: [] }), started };
}

/** The run that asked had ended: the request is answered with its end. */
function answerAtOnce(turn: Turn, command: Accept, { id }: QueuedActivation, run: EndedRun): Accepted {
  const { id: runId, lastSeq, outcome, activations } = run;
  const { warnings } = judge(turn, command);
  turn.put('activation', id, {
    ...turn.get('activation', id),
    afterSeq: lastSeq - 1,
    warnings,
    state: { is: 'answered', runId, fromSeq: lastSeq, toSeq: lastSeq, outcome },
  });
  turn.setRun(runId, { activations: [...activations, id] });
  const started = claimNext(turn, command.offer);
  return { ...receive(turn, id, { became: 'answered', runId, blockedBy: [] }), started };
}

/** Notes what the request became, for its repetition. */
function receive(turn: Turn, id: ActivationId, received: Activation['received']): Accepted {
  const activation = { ...turn.get('activation', id), received };
  turn.put('activation', id, activation);
  const { became, blockedBy } = received;
  return { activation, was: 'accepted', became, blockedBy };
}

/** A request that is to be a run of its own, or input of the one that is open. */
function enqueue(
  turn: Turn,
  command: Accept,
  rules: Rules,
  accepted: { queued: QueuedActivation; base: Base; isInput: boolean; joined: QueuedRun | undefined; runId: RunId },
): Accepted {
  const { lane } = turn;
  const { request } = command;
  const { queued, base, isInput, joined, runId } = accepted;
  const unknown = command.decisions.map(({ ticketId }) => `no open question has the id ${ticketId}`);
  if (unknown.length > 0)
    turn.put('activation', queued.id, { ...turn.get('activation', queued.id), warnings: unknown });
  const interrupts = request.whenBusy === 'interrupt';
  if (interrupts) supersedeQueued(turn, { actor: request.actor, door: request.door, origin: request.origin });
  const { open } = lane;
  if (request.whenBusy === 'reject' && (open !== undefined || lane.queue.length > 0)) {
    const waitsFor = (open?.tickets ?? []).map((ticket) => ticket.id);
    throw new Fault(
      'run-conflict',
      waitsFor.length > 0 ? `the thread waits for answers to ${waitsFor.join(', ')}` : 'the thread is busy',
    );
  }
  if (waitingOn(lane) >= rules.queuePerThread) {
    throw new Fault('too-many', `${rules.queuePerThread} requests wait on this thread already`);
  }
  const waits = open !== undefined || lane.queue.length > 0 || command.offer === undefined;
  if (waits && command.waitsInAll >= rules.queueInAll) {
    throw new Fault('too-many', `${rules.queueInAll} requests wait already`);
  }
  if (isInput) return stage(turn, command, queued);
  if (interrupts && open !== undefined) stopOpen(turn, rules, { reason: 'interrupted', by: request.actor });
  if (joined === undefined) {
    lane.orders += 1;
    const others = interrupts ? [...lane.queue, ...lane.inputs] : [];
    const priority = Math.min(request.priority, ...others.map((one) => one.priority));
    const order = Math.min(lane.orders, ...others.map((one) => one.order - 1));
    addRun(turn, command, { queued, base, priority, order });
  } else join(turn, joined, queued);
  turn.event({ type: 'run.queued', activation: queued.id }, { runId, attempt: 0 });
  const started = claimNext(turn, command.offer);
  const runs = turn.get('activation', queued.id).state.is === 'attached';
  const blockedBy = runs ? [] : blockers(turn);
  const became = runs ? 'running' : blockedBy.length > 0 ? 'blocked' : 'queued';
  return { ...receive(turn, queued.id, { became, runId, blockedBy }), started };
}

function join(turn: Turn, run: QueuedRun, queued: QueuedActivation): void {
  const activations = [...run.activations, queued];
  turn.lane.queue = turn.lane.queue.map((one) => (one === run ? { ...run, activations } : one));
  turn.setRun(run.runId, { activations: activations.map(({ id }) => id) });
}

function addRun(
  turn: Turn,
  command: Accept,
  place: { queued: QueuedActivation; base: Base; priority: number; order: number },
): void {
  const { lane } = turn;
  const { request, agent } = command;
  const { runId } = command.ids;
  const { queued, base, priority, order } = place;
  const { id: agentId, recovery, takesInput } = agent;
  const run: QueuedRun = {
    runId,
    agentId,
    recovery,
    takesInput,
    actor: request.actor,
    door: request.door,
    activations: [queued],
    priority,
    availableAtMs: lane.lastMs,
    order,
    base,
  };
  lane.queue = [...lane.queue, run];
  turn.put('run', runId, newRun(turn, { runId, agentId, agentVersion: agent.version, activations: [queued] }));
}

/**
 * Whether the request becomes input of the open run: if its agent takes input in mid-turn, or when the input belongs to
 * the run and continues it. A turn that runs has one history, so what branches is never its input.
 */
function steers(turn: Turn, command: Accept, base: Base): boolean {
  const { open } = turn.lane;
  const { bound, whenBusy } = command.request;
  if (open === undefined || whenBusy !== 'steer') return false;
  if (open.agentId !== command.agent.id || base !== undefined) return false;
  if (bound === undefined ? !open.takesInput : bound !== open.runId) return false;
  return !isStopped(turn);
}

/** Input for the running turn; behind open questions it is an answer in words, and wakes the run without closing them. */
function stage(turn: Turn, command: Accept, queued: QueuedActivation): Accepted {
  const { lane } = turn;
  const { request, agent } = command;
  const open = turn.open();
  lane.orders += 1;
  const { id: agentId, recovery, takesInput } = agent;
  const bound = request.bound === open.runId;
  const { priority } = request;
  lane.inputs = [...lane.inputs, { ...queued, order: lane.orders, agentId, recovery, takesInput, priority, bound }];
  const activation = turn.setActivation(queued.id, { is: 'pending', runId: open.runId });
  const { actor, door } = request;
  turn.event(
    { type: 'input.staged', activation: queued.id, messageIds: activation.messageIds, actor, door },
    stamp(open),
  );
  if (open.takesInput) resumeBy(turn, 'input');
  const started = claimNext(turn, command.offer);
  const blockedBy = blockers(turn);
  return { ...receive(turn, queued.id, { became: 'pending', runId: open.runId, blockedBy }), started };
}

/** The tickets that the open run waits for, if it waits. */
function blockers(turn: Turn): string[] {
  const { open } = turn.lane;
  if (open === undefined || (open.phase.is !== 'waiting' && open.phase.is !== 'parked')) return [];
  return open.tickets.map((ticket) => ticket.id);
}
