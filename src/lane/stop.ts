import type { Activation } from '../../schemas/activation.ts';
import type { ActivationId, Actor, Door, RunId } from '../../schemas/id.ts';
import type { StopReport } from '../../schemas/control.ts';
import type { CancelReason, Outcome } from '../../schemas/run.ts';
import { Fault } from '../fault.ts';
import type { Caller, Command, Outcomes, Rules, Stopped } from './command.ts';
import type { QueuedActivation, QueuedRun } from './lane.ts';
import { type RunStamp, stamp, type Turn } from './turn.ts';

/** Reaches one run, one activation, or all that this caller brought in on the thread. */
export function cancel(turn: Turn, command: Command<'cancel'>, rules: Rules): Outcomes['cancel'] {
  const { target, by } = command;
  const reached: StopReport = { runs: {}, retracted: [] };
  const { runs, retracted } = reached;
  const reason = 'cancelled';
  if (target === 'thread') {
    const open = turn.lane.open;
    takeOut(turn, reached, { isMeant: (one) => isOf(one, by), by: by.actor, reason });
    for (const input of turn.lane.inputs.filter((one) => isOf(one, by)))
      retracted.push(retractInput(turn, input.id, by.actor));
    if (open !== undefined && isOf(open, by) && open.activations.every((each) => isOf(each, by))) {
      runs[open.runId] = stopOpen(turn, rules, { reason: 'cancelled', by: by.actor });
    }
    return { runs, retracted };
  }
  if ('run' in target) {
    runs[target.run] = cancelRun(turn, target.run, by, rules);
    return { runs, retracted };
  }
  const activation = turn.named(target.activation);
  assertOwn(activation, by);
  switch (activation.state.is) {
    case 'pending':
      retracted.push(retractInput(turn, activation.id, by.actor));
      break;
    case 'queued':
      takeOut(turn, reached, { isMeant: (one) => one.id === activation.id, by: by.actor, reason });
      break;
    case 'attached':
      assertStopsWith(turn, activation, by);
      runs[activation.state.runId] = cancelRun(turn, activation.state.runId, by, rules);
      break;
    case 'answered': {
      // Answered by a question, its run may still be open; the request's cancel is then the run's.
      const { runId, outcome } = activation.state;
      if (outcome.type === 'waiting') assertStopsWith(turn, activation, by);
      runs[runId] = outcome.type === 'waiting' ? cancelRun(turn, runId, by, rules) : 'was-ended';
      break;
    }
    case 'retracted':
      break;
  }
  return { runs, retracted };
}

/** Whoever brought a request in may take it back, and nobody else. @throws Fault `forbidden` */
export function assertOwn(activation: Activation, by: Caller): void {
  if (activation.actor !== by.actor) throw new Fault('forbidden', `${activation.id} is another caller’s`);
}

/** A run ends with a request that started it, or that it serves beside none of others. @throws Fault `input-taken` */
function assertStopsWith(turn: Turn, activation: Activation, by: Caller): void {
  const { open } = turn.lane;
  if (open === undefined || !('runId' in activation.state) || activation.state.runId !== open.runId) return;
  const isShared = open.activations.some((one) => one.actor !== by.actor) || open.actor !== by.actor;
  if (isShared && !open.startedBy.includes(activation.id)) {
    throw new Fault('input-taken', 'a run that another caller started has taken it');
  }
}

function isOf(it: { readonly actor: Actor; readonly door: Door }, by: Caller): boolean {
  return it.actor === by.actor && it.door === by.door;
}

function cancelRun(turn: Turn, runId: RunId, by: Caller, rules: Rules): Stopped {
  if (turn.lane.open?.runId === runId) return stopOpen(turn, rules, { reason: 'cancelled', by: by.actor });
  const queued = turn.lane.queue.find((run) => run.runId === runId);
  if (queued !== undefined) return endQueued(turn, queued, { by: by.actor, reason: 'cancelled' });
  if (turn.find('run', runId) === undefined) throw new Fault('not-found', `no run has the id ${runId}`);
  return 'was-ended';
}

/** Stops what runs, and supersedes what this caller had queued. */
export function interrupt(turn: Turn, command: Command<'interrupt'>, rules: Rules): Outcomes['interrupt'] {
  const superseded = supersedeQueued(turn, command.by);
  const open = turn.lane.open;
  if (open === undefined) return superseded;
  const stopped = stopOpen(turn, rules, { reason: 'interrupted', by: command.by.actor });
  return { ...superseded, runs: { ...superseded.runs, [open.runId]: stopped } };
}

/** Takes this actor's queued requests and pending input out. */
export function supersedeQueued(turn: Turn, by: Caller): Outcomes['interrupt'] {
  const reached: StopReport = { runs: {}, retracted: [] };
  takeOut(turn, reached, { isMeant: (one) => one.actor === by.actor, by: by.actor, reason: 'superseded' });
  const inputs = turn.lane.inputs.filter((input) => input.actor === by.actor);
  for (const input of inputs) reached.retracted.push(retractInput(turn, input.id, by.actor));
  return reached;
}

/** Takes requests out of the queue: a run that is made of them alone ends, one that serves others as well goes without. */
function takeOut(
  turn: Turn,
  reached: StopReport,
  which: { readonly isMeant: (one: QueuedActivation) => boolean; readonly by: Actor; readonly reason: CancelReason },
): void {
  for (const run of turn.lane.queue) {
    const meant = run.activations.filter(which.isMeant);
    if (meant.length === 0) continue;
    if (meant.length === run.activations.length) {
      reached.runs[run.runId] = endQueued(turn, run, which);
      continue;
    }
    for (const { id } of meant) {
      leaveRun(turn, run.runId, id, which.by);
      reached.retracted.push(id);
    }
  }
}

/** Tells the open run to stop: its holder has until the end of the grace; without a holder it ends at once. */
export function stopOpen(
  turn: Turn,
  rules: Rules,
  why: { readonly reason: 'cancelled' | 'interrupted'; readonly by: Actor },
): Stopped {
  const open = turn.open();
  const { phase } = open;
  const outcome: Outcome = { type: 'cancelled', by: why.by, reason: why.reason };
  switch (phase.is) {
    case 'running':
    case 'waiting': {
      turn.event({ type: 'run.stopping', ...why }, stamp(open));
      const graceEndsAtMs = turn.lane.lastMs + rules.graceMs;
      turn.setOpen({ phase: { is: 'stopping', claim: phase.claim, outcome, graceEndsAtMs } });
      return 'stopping';
    }
    case 'ready':
    case 'parked':
      turn.event({ type: 'run.stopping', ...why }, stamp(open));
      endOpen(turn, outcome);
      return 'ended';
    case 'stopping':
    case 'ending':
      return 'was-stopping';
  }
}

/** Decides the open run's outcome without its holder: whoever gathers what it wrote finishes it. */
export function endOpen(turn: Turn, outcome: Outcome): void {
  turn.setOpen({ phase: { is: 'ending', outcome } });
}

/** Ends a run that never started. */
function endQueued(turn: Turn, run: QueuedRun, why: { by: Actor; reason: CancelReason }): Stopped {
  const { lane } = turn;
  lane.queue = lane.queue.filter((one) => one.runId !== run.runId);
  const outcome: Outcome = { type: 'cancelled', by: why.by, reason: why.reason };
  const of: RunStamp = { runId: run.runId, attempt: 0 };
  const seq = turn.event({ type: 'run.finished', outcome }, of);
  for (const activation of run.activations) turn.answer({ ...activation, fromSeq: seq }, run.runId, outcome);
  const record = turn.get('run', run.runId);
  const how = why.reason === 'superseded' ? 'superseded' : 'cancelled';
  turn.setRun(run.runId, {
    status: 'done',
    outcome,
    lastSeq: seq,
    endedAtMs: lane.lastMs,
    deliveries: [...record.deliveries, { how, attempt: 0, atMs: lane.lastMs }],
  });
  return 'ended';
}

/** Takes pending input back before a run takes it. */
export function retractInput(turn: Turn, id: ActivationId, by: Actor): ActivationId {
  turn.lane.inputs = turn.lane.inputs.filter((input) => input.id !== id);
  turn.setActivation(id, { is: 'retracted', by, atMs: turn.lane.lastMs });
  const { open } = turn.lane;
  turn.event({ type: 'input.retracted', activation: id, by }, open === undefined ? undefined : stamp(open));
  return id;
}

/** Takes one queued or pending request back. @throws Fault `input-taken` */
export function retract(turn: Turn, command: Command<'retract'>): Outcomes['retract'] {
  const { activationId: id, by } = command;
  const activation = turn.named(id);
  assertOwn(activation, by);
  switch (activation.state.is) {
    case 'retracted':
      return { activation };
    case 'pending':
      retractInput(turn, id, by.actor);
      return { activation: turn.get('activation', id) };
    case 'queued':
      leaveRun(turn, activation.state.runId, id, by.actor);
      return { activation: turn.get('activation', id) };
    case 'attached':
    case 'answered':
      throw new Fault('input-taken', 'a run has taken it already');
  }
}

/** Takes one activation out of a queued run; the run ends with its last one. */
function leaveRun(turn: Turn, runId: RunId, id: ActivationId, by: Actor): void {
  const run = turn.lane.queue.find((one) => one.runId === runId);
  if (run === undefined) throw new Fault('internal', `the queue has no run ${runId}`);
  turn.setActivation(id, { is: 'retracted', by, atMs: turn.lane.lastMs });
  turn.event({ type: 'input.retracted', activation: id, by }, { runId, attempt: 0 });
  const activations = run.activations.filter((one) => one.id !== id);
  const [first] = activations;
  if (first === undefined) {
    endQueued(turn, { ...run, activations }, { by, reason: 'cancelled' });
    return;
  }
  const { actor, door } = first;
  turn.lane.queue = turn.lane.queue.map((one) => (one === run ? { ...run, actor, door, activations } : one));
  turn.setRun(runId, { actor, activations: activations.map((one) => one.id) });
}
