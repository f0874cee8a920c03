import type { TicketId } from '../../schemas/id.ts';
import type { Answer, Decision, Ticket } from '../../schemas/ticket.ts';
import { Fault } from '../fault.ts';
import type { Caller, CheckedAnswer, Command, Outcomes, Rules } from './command.ts';
import { journalId } from './journal.ts';
import { endOpen } from './stop.ts';
import { stamp, type Turn } from './turn.ts';

/** Opens an ask's questions, or finds them as an earlier attempt opened them. */
export function ask(turn: Turn, command: Command<'ask'>, rules: Rules): Outcomes['ask'] {
  const { token, key, digest } = command;
  const open = turn.held(token);
  const id = journalId(open, key);
  const known = turn.find('journal', id);
  if (known !== undefined) {
    if (known.digest !== digest || known.entry.is !== 'asked') {
      throw new Fault('journal-diverged', `the key ${key} was used for something else in an earlier attempt`);
    }
    return { tickets: known.entry.ticketIds.map((ticketId) => turn.get('ticket', ticketId)) };
  }
  if (open.phase.is === 'stopping') throw new Fault('claim-lost', 'the run is being stopped');
  const { runId } = open;
  const openedAtMs = turn.lane.lastMs;
  const tickets = command.questions.map(({ id: ticketId, question }): Ticket => {
    const { expiresInMs, options, editable, mayDecide, onExpiry, secret, ...rest } = question;
    return {
      ...rest,
      id: ticketId,
      threadId: turn.lane.threadId,
      runId,
      rootRunId: runId,
      key,
      options: options ?? (question.kind === 'approval' ? approvalOptions : []),
      editable: editable ?? false,
      mayDecide: mayDecide ?? 'person',
      openedAtMs,
      expiresAtMs: openedAtMs + (expiresInMs ?? rules.ticketTtlMs),
      onExpiry: onExpiry ?? 'dismiss',
      secret: secret ?? false,
    };
  });
  for (const ticket of tickets) {
    turn.put('ticket', ticket.id, ticket);
    turn.event({ type: 'ticket.opened', ticket }, stamp(open));
  }
  turn.put('journal', id, { runId, key, digest, entry: { is: 'asked', ticketIds: tickets.map((one) => one.id) } });
  const opened = tickets.map((one) => ({ id: one.id, key, expiresAtMs: one.expiresAtMs }));
  turn.setOpen({ tickets: [...open.tickets, ...opened], boundarySeq: turn.lane.head });
  waitAgain(turn);
  return { tickets };
}

const approvalOptions: Ticket['options'] = [
  { id: 'allow-once', name: 'Allow', kind: 'allow-once' },
  { id: 'reject-once', name: 'Reject', kind: 'reject-once' },
];

/** The agent has nothing to do until a person answers. False when no question is open any more. */
export function wait(turn: Turn, command: Command<'wait'>, rules: Rules): Outcomes['wait'] {
  const open = turn.held(command.token);
  if (open.phase.is === 'waiting') return { waiting: true };
  if (open.phase.is !== 'running' || open.tickets.length === 0) return { waiting: false };
  const parkAtMs = open.recovery === 'fail' ? undefined : turn.nowMs + rules.parkAfterMs;
  turn.setOpen({ phase: { is: 'waiting', claim: open.phase.claim, parkAtMs }, boundarySeq: turn.lane.head });
  announceWaiting(turn);
  return { waiting: true };
}

/** Records that the run waits, and answers the activations that a question ends. */
function announceWaiting(turn: Turn): void {
  const open = turn.open();
  const ticketIds = open.tickets.map((ticket) => ticket.id);
  turn.event({ type: 'run.waiting', ticketIds }, stamp(open));
  const kinds = ticketIds.map((id) => turn.get('ticket', id).kind);
  const waited = {
    for: kinds.every((kind) => kind === 'sign-in') ? 'sign-in' : 'answer',
    sinceMs: turn.lane.lastMs,
  } as const;
  turn.setRun(open.runId, { status: 'waiting', waited });
  for (const activation of open.activations) {
    if (activation.endsAt === 'waiting') turn.answer(activation, open.runId, { type: 'waiting', ticketIds });
  }
  turn.setOpen({ activations: open.activations.filter((activation) => activation.endsAt !== 'waiting') });
}

/** The agent went on by itself while its questions are open. */
export function resume(turn: Turn, command: Command<'resume'>): Outcomes['resume'] {
  const open = turn.held(command.token);
  if (open.phase.is === 'waiting') resumeBy(turn, 'yield');
  return {};
}

export function decide(turn: Turn, command: Command<'decide'>): Outcomes['decide'] {
  const { decision, by } = command;
  const ticket = turn.find('ticket', decision.ticketId);
  if (ticket === undefined) throw new Fault('not-found', `no question has the id ${decision.ticketId}`);
  if (ticket.closed !== undefined) {
    if (isSame(ticket.closed, decision)) return { ticket, was: 'repeated' };
    throw new Fault('decision-conflict', `the question was ${ticket.closed.decision.how} already`);
  }
  if (isStopped(turn)) throw new Fault('run-ended', 'the run is being stopped');
  const problem = problemOf(ticket, decision, by, turn.nowMs);
  if (problem !== undefined) throw problem;
  const { complete } = closeTicket(turn, ticket, decision, by);
  if (complete) resumeBy(turn, 'decision');
  return { ticket: turn.get('ticket', ticket.id), was: 'decided' };
}

/** One answer of a list: a problem is told, not thrown. */
export function tryDecision(
  turn: Turn,
  decision: CheckedAnswer,
  by: Caller,
): { readonly complete: boolean } | { readonly problem: string } {
  const ticket = turn.find('ticket', decision.ticketId);
  if (ticket === undefined) return { problem: `no open question has the id ${decision.ticketId}` };
  if (ticket.closed !== undefined) {
    if (isSame(ticket.closed, decision)) return { complete: false };
    return { problem: `${ticket.id} was ${ticket.closed.decision.how} already` };
  }
  if (isStopped(turn)) return { problem: `${ticket.id}: the run is being stopped` };
  const problem = problemOf(ticket, decision, by, turn.nowMs);
  return problem === undefined ? closeTicket(turn, ticket, decision, by) : { problem: problem.message };
}

/** Whether the open run's end is decided: nothing that is said to it counts. */
export function isStopped(turn: Turn): boolean {
  const { is } = turn.open().phase;
  return is === 'stopping' || is === 'ending';
}

/** Why this answer cannot close this open ticket. */
function problemOf(ticket: Ticket, decision: CheckedAnswer, by: Caller, nowMs: number): Fault | undefined {
  const { answer, problem } = decision;
  const invalid = (why: string): Fault => new Fault('invalid-answer', `${ticket.id}: ${why}`);
  if (ticket.mayDecide === 'person' && by.origin === 'agent') {
    return new Fault('forbidden', `${ticket.id}: only a person may answer this`);
  }
  if (nowMs >= ticket.expiresAtMs) return new Fault('decision-conflict', `${ticket.id} has expired`);
  if (problem !== undefined) return invalid(problem);
  switch (answer.type) {
    case 'approve':
    case 'deny':
      if (ticket.kind !== 'approval') return invalid('this is not a question of approval');
      break;
    case 'option':
      if (!ticket.options.some((option) => option.id === answer.optionId)) {
        return invalid(`the options are ${ticket.options.map((option) => option.id).join(', ')}`);
      }
      break;
    case 'value':
      if (ticket.kind === 'approval' || ticket.kind === 'choice') return invalid('choose one of the options');
      break;
    case 'dismiss':
      break;
  }
  const editsArgs = (answer.type === 'approve' || answer.type === 'option') && answer.args !== undefined;
  return editsArgs && !ticket.editable ? invalid('the arguments may not be changed') : undefined;
}

function closeTicket(turn: Turn, ticket: Ticket, decision: CheckedAnswer, by: Caller): { complete: boolean } {
  const { answer, decisionId } = decision;
  const made: Decision = answer.type === 'dismiss' ? { how: 'dismissed' } : { how: 'answered', answer };
  return close(turn, ticket, { decision: made, actor: by.actor, door: by.door, decisionId, atMs: turn.lane.lastMs });
}

/** Closes a ticket; `complete` when no question of the same ask is open any more. */
function close(turn: Turn, ticket: Ticket, closed: NonNullable<Ticket['closed']>): { complete: boolean } {
  const open = turn.open();
  const { decision, actor, door } = closed;
  turn.put('ticket', ticket.id, { ...ticket, closed });
  const shown = ticket.secret ? undefined : decision;
  const by = { actor, door };
  turn.event({ type: 'ticket.closed', ticketId: ticket.id, how: decision.how, decision: shown, by }, stamp(open));
  const tickets = open.tickets.filter((one) => one.id !== ticket.id);
  turn.setOpen({ tickets, boundarySeq: turn.lane.head });
  return { complete: !tickets.some((one) => one.key === ticket.key) };
}

/** A run that waited goes on: a question is answered or gone, or its agent moves by itself. Others are left as they are. */
export function resumeBy(turn: Turn, cause: 'decision' | 'input' | 'yield'): void {
  const { is } = turn.open().phase;
  if (is === 'waiting' || is === 'parked') turn.event({ type: 'run.resumed', cause }, stamp(turn.open()));
  goOnAfterAnswer(turn);
}

/** A question of the run is answered: it executes on, or is to be claimed again. Its event is the caller's to record. */
export function goOnAfterAnswer(turn: Turn): void {
  const { phase, runId } = turn.open();
  if (phase.is === 'waiting') turn.setOpen({ phase: { is: 'running', claim: phase.claim } });
  else if (phase.is === 'parked') turn.setOpen({ phase: { is: 'ready', availableAtMs: turn.nowMs } });
  else return;
  turn.setRun(runId, { status: 'running' });
}

/** What was answered did not complete an ask: a run that waited still does, and says so again. */
export function waitAgain(turn: Turn): void {
  const { phase } = turn.open();
  if (phase.is === 'waiting' || phase.is === 'parked') announceWaiting(turn);
}

/** The agent takes questions back. */
export function withdraw(turn: Turn, command: Command<'withdraw'>): Outcomes['withdraw'] {
  turn.held(command.token);
  const { complete } = closeAll(turn, command.ticketIds);
  if (complete) resumeBy(turn, 'yield');
  return {};
}

/** Closes what is still open as withdrawn, visibly on each door; `complete` when that leaves an ask without open ones. */
export function closeAll(turn: Turn, ticketIds: readonly TicketId[]): { complete: boolean } {
  let complete = false;
  for (const ticketId of ticketIds) {
    const isOpen = turn.open().tickets.some((ticket) => ticket.id === ticketId);
    if (!isOpen) continue;
    const result = close(turn, turn.get('ticket', ticketId), { decision: { how: 'withdrawn' }, atMs: turn.nowMs });
    complete = result.complete || complete;
  }
  return { complete };
}

/** Expires every question whose time has come. */
export function expireDue(turn: Turn): void {
  const open = turn.lane.open;
  if (open === undefined || open.phase.is === 'ending' || open.phase.is === 'stopping') return;
  const due = open.tickets.filter((ticket) => ticket.expiresAtMs <= turn.nowMs);
  let complete = false;
  for (const { id } of due) {
    const ticket = turn.get('ticket', id);
    const result = close(turn, ticket, { decision: { how: 'expired' }, atMs: turn.lane.lastMs });
    if (ticket.onExpiry === 'fail') {
      const fault = new Fault('timeout', `nobody answered ${id} in time`, { retryable: false }).toRecord();
      endOpen(turn, { type: 'failed', fault, retryable: false });
      return;
    }
    complete = result.complete || complete;
  }
  if (complete) resumeBy(turn, 'decision');
}

function isSame(closed: NonNullable<Ticket['closed']>, decision: CheckedAnswer): boolean {
  if (closed.decisionId !== undefined && closed.decisionId === decision.decisionId) return true;
  if (closed.decision.how === 'dismissed') return decision.answer.type === 'dismiss';
  return closed.decision.how === 'answered' && sameAnswer(closed.decision.answer, decision.answer);
}

function sameAnswer(a: Answer, b: Answer): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
