import type { FaultRecord } from '../../schemas/fault.ts';
import type { MessageId } from '../../schemas/id.ts';
import type { Outcome } from '../../schemas/run.ts';
import { Fault } from '../fault.ts';
import type { Command, Outcomes, Rules, SpareIds, Written } from './command.ts';
import type { OpenRun, PatchedField, PendingInput } from './lane.ts';
import { addAlias } from './reconcile.ts';
import { claimNext, givenTo, newRun, takePending } from './start.ts';
import { endOpen, retractInput } from './stop.ts';
import { closeAll, resumeBy } from './tickets.ts';
import { type HeldRun, stamp, type Turn } from './turn.ts';

/** The end of an attempt, by its holder. Told to stop, the run ends as stopped whatever its agent says. */
export function settle(turn: Turn, command: Command<'settle'>, rules: Rules): Outcomes['settle'] {
  const { token, runId, ending, written, ids } = command;
  const done = turn.find('run', runId);
  if (done?.status === 'done' && done.deliveries.some((delivery) => delivery.token === token)) {
    return { is: 'done', started: givenTo(turn, command.offer) };
  }
  const open = turn.held(token);
  if (open.phase.is === 'stopping') {
    finishOpen(turn, open.phase.outcome, written, ids);
    return { is: 'done', started: claimNext(turn, command.offer) };
  }
  if (ending.type === 'failed') {
    const { failures } = turn.setOpen({ failures: open.failures + 1 });
    if (ending.fault.retryable && failures < rules.maxAttempts) {
      resumeBy(turn, 'yield');
      retryLater(turn, backoffMs(failures, rules), ending.fault);
      return { is: 'retrying' };
    }
    finishOpen(turn, { type: 'failed', fault: ending.fault, retryable: ending.fault.retryable }, written, ids);
    return { is: 'done', started: claimNext(turn, command.offer) };
  }
  if (turn.lane.inputs.some((input) => input.bound)) {
    continueWithInput(turn);
    return { is: 'continued', started: claimNext(turn, command.offer) };
  }
  const { stop, result } = ending;
  finishOpen(turn, { type: 'completed', stop, pendingToolCalls: [...written.pendingToolCalls], result }, written, ids);
  return { is: 'done', started: claimNext(turn, command.offer) };
}

/** The n-th actual retry waits the n-th delay. */
export function backoffMs(failures: number, rules: Rules): number {
  return Math.min(rules.backoffCapMs, rules.backoffBaseMs * 2 ** Math.min(failures - 1, 30));
}

function retryLater(turn: Turn, delayMs: number, fault?: FaultRecord): void {
  const open = turn.open();
  const retryAtMs = turn.nowMs + delayMs;
  turn.event({ type: 'run.retrying', nextAttempt: open.attempt + 1, retryAtMs, fault }, stamp(open));
  turn.setOpen({ phase: { is: 'ready', availableAtMs: retryAtMs } });
}

/** The run ended its turn, but input that belongs to it is there: it takes it and goes on. */
function continueWithInput(turn: Turn): void {
  closeOpen(turn);
  const open = turn.open();
  const others = turn.lane.inputs.filter((input) => !input.bound);
  turn.lane.inputs = turn.lane.inputs.filter((input) => input.bound);
  takePending(turn);
  turn.lane.inputs = others;
  turn.event({ type: 'run.resumed', cause: 'input' }, stamp(open));
  turn.setRun(open.runId, { status: 'running' });
  turn.setOpen({
    turn: open.turn + 1,
    startedBy: turn
      .open()
      .activations.slice(open.activations.length)
      .map((one) => one.id),
    boundarySeq: turn.lane.head,
    phase: { is: 'ready', availableAtMs: turn.lane.lastMs },
  });
}

/** Whoever ends a turn asks no more. */
function closeOpen(turn: Turn): void {
  const { tickets } = turn.open();
  closeAll(
    turn,
    tickets.map((ticket) => ticket.id),
  );
}

/** Ends the open run: its messages and outcome are recorded, its questions closed, its requests answered. */
function finishOpen(turn: Turn, outcome: Outcome, written: Written, ids: SpareIds): void {
  const { lane } = turn;
  closeOpen(turn);
  for (const input of lane.inputs.filter((one) => one.bound)) retractInput(turn, input.id, turn.open().actor);
  const open = turn.open();
  const run = stamp(open);
  addMessages(turn, open, outcome, written);
  changeThread(turn, open, written);
  const lastSeq = turn.event({ type: 'run.finished', outcome }, run);
  for (const activation of open.activations) turn.answer(activation, open.runId, outcome);
  const record = turn.get('run', open.runId);
  const token = 'claim' in open.phase ? open.phase.claim.token : undefined;
  const { attempt, interruptions } = open;
  turn.setRun(open.runId, {
    status: 'done',
    outcome,
    attempt,
    interruptions,
    headId: lane.headId,
    lastSeq,
    endedAtMs: lane.lastMs,
    deliveries: [...record.deliveries, { how: deliveryOf(outcome), attempt, atMs: lane.lastMs, token }],
  });
  const calls = outcome.type === 'completed' ? outcome.pendingToolCalls : [];
  if (calls.length > 0) lane.left = { runId: open.runId, toolCallIds: calls };
  lane.open = undefined;
  requeueInput(turn, { runId: ids.runId, agentVersion: record.agentVersion });
}

/** What the agent changed on its thread, but for what people have changed since. */
function changeThread(turn: Turn, { patched }: OpenRun, { thread, seq }: Written): void {
  const stands = ([field]: [string, unknown]): boolean => (patched?.[field as PatchedField] ?? 0) <= seq;
  const changes = Object.entries(thread).filter(stands);
  if (changes.length > 0) turn.put('thread', '', { ...turn.get('thread', ''), ...Object.fromEntries(changes) });
}

function deliveryOf(outcome: Outcome): 'acked' | 'cancelled' | 'dead' {
  switch (outcome.type) {
    case 'completed':
      return 'acked';
    case 'cancelled':
      return 'cancelled';
    case 'failed':
      return 'dead';
  }
}

/** What the run wrote becomes the thread's. Messages that came through a door are there; only their place may differ. */
function addMessages(turn: Turn, open: OpenRun, outcome: Outcome, written: Written): void {
  const { lane } = turn;
  const excluded = outcome.type === 'completed' && outcome.stop === 'refusal' ? true : undefined;
  const placed = new Map<MessageId, MessageId>();
  const found = new Set<MessageId>();
  for (const draft of written.messages) {
    const parentId = draft.parentId === undefined ? undefined : (placed.get(draft.parentId) ?? draft.parentId);
    const known = turn.find('message', draft.id);
    const isThere = known !== undefined && draft.door !== undefined;
    // An agent may give an id that another message has; that one stays what it is.
    const id = known === undefined || isThere ? draft.id : `${open.runId}:${lane.messages + 1}`;
    if (isThere) {
      found.add(id);
      if (known.parentId !== parentId || excluded) turn.put('message', id, { ...known, parentId, excluded });
    } else {
      lane.messages += 1;
      turn.put('message', id, { ...draft, id, parentId, seq: lane.messages, excluded });
      if (id !== draft.id) addAlias(turn, draft.id, id);
    }
    placed.set(draft.id, id);
    lane.headId = id;
  }
  // Came along with an answer after the run had gathered what it wrote.
  for (const id of open.entered.filter((one) => !found.has(one))) {
    turn.put('message', id, { ...turn.get('message', id), parentId: lane.headId, excluded });
    lane.headId = id;
  }
}

/** Input that the run did not take becomes one new run, in order, where its first stood in the queue. */
function requeueInput(turn: Turn, spare: SpareIds & { readonly agentVersion: string }): void {
  const { lane } = turn;
  const inputs = lane.inputs.toSorted((a, b) => a.order - b.order);
  const first: PendingInput | undefined = inputs[0];
  if (first === undefined) return;
  const { agentId, recovery, takesInput, order, priority, actor, door } = first;
  const { runId, agentVersion } = spare;
  const activations = inputs.map(({ id, actor: by, door: through, endsAt, bytes }) => ({
    id,
    actor: by,
    door: through,
    endsAt,
    bytes,
  }));
  lane.inputs = [];
  lane.queue = [
    ...lane.queue,
    { runId, agentId, recovery, takesInput, actor, door, activations, priority, availableAtMs: lane.lastMs, order },
  ];
  turn.put('run', runId, newRun(turn, { runId, agentId, agentVersion, activations }));
  for (const activation of activations) {
    turn.setActivation(activation.id, { is: 'queued', runId });
    turn.event({ type: 'run.queued', activation: activation.id }, { runId, attempt: 0 });
  }
}

/** Finishes a run whose outcome was decided without its holder. Repeated, it finds the run done. */
export function finish(turn: Turn, command: Command<'finish'>): Outcomes['finish'] {
  const open = turn.lane.open;
  if (open?.runId !== command.runId || open.phase.is !== 'ending') return { started: givenTo(turn, command.offer) };
  finishOpen(turn, open.phase.outcome, command.written, command.ids);
  return { started: claimNext(turn, command.offer) };
}

/** A stopping process gives its claim back: nobody failed. What is not held needs no release. */
export function release(turn: Turn, command: Command<'release'>): Outcomes['release'] {
  const open = turn.findHeld(command.token);
  if (open !== undefined) letGo(turn, open);
  return {};
}

/** The process that held the claim is gone. What that means is the agent's to say; a run that executed nothing lost nothing. */
export function lost(turn: Turn, command: Command<'lost'>, rules: Rules): Outcomes['lost'] {
  const open = turn.findHeld(command.token);
  if (open === undefined) return {};
  const interruptions = open.phase.is === 'running' ? open.interruptions + 1 : open.interruptions;
  turn.setOpen({ interruptions });
  if (interruptions >= rules.maxInterruptions) endOpen(turn, interrupted(`its process died ${interruptions} times`));
  else letGo(turn, open);
  return {};
}

function letGo(turn: Turn, { phase, recovery }: HeldRun): void {
  if (phase.is === 'stopping') endOpen(turn, phase.outcome);
  else if (recovery === 'fail') endOpen(turn, interrupted('its process ended, and this agent cannot be run again'));
  else if (phase.is === 'waiting') turn.setOpen({ phase: { is: 'parked' } });
  else retryLater(turn, 0);
}

function interrupted(why: string): Outcome {
  return { type: 'failed', fault: new Fault('interrupted', why).toRecord(), retryable: false };
}
