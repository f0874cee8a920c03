import { Fault } from '../fault.ts';
import { accept } from './accept.ts';
import type { Command, CommandType, Outcomes, Rules } from './command.ts';
import { edit, reorder } from './input.ts';
import { checkpoint, endOnce, once, takeInput } from './journal.ts';
import { emptyLane, type Lane, wakeAtMs } from './lane.ts';
import type { Found, Step } from './records.ts';
import { discard, redrive } from './redrive.ts';
import { finish, lost, release, settle } from './settle.ts';
import { claimNext } from './start.ts';
import { cancel, endOpen, interrupt, retract } from './stop.ts';
import { claimPush, pushed, pushFailed, subscribe, unsubscribe } from './subscriptions.ts';
import { ask, decide, expireDue, resume, wait, withdraw } from './tickets.ts';
import { create, patch, remove } from './thread.ts';
import { Turn } from './turn.ts';

/**
 * All that may happen on a thread, decided from its lane, its records and the store's time. Pure: no clock, no ids, no
 * I/O; the same arguments give the same step. A repeated command changes nothing and gets its first outcome.
 * @throws Fault what the command is refused with; then nothing is written
 */
export function step<Type extends CommandType>(
  rules: Rules,
  lane: Lane | undefined,
  found: Found,
  command: Command<Type>,
  nowMs: number,
  key: { readonly scope: string; readonly threadId: string },
): Step<Outcomes[Type]> {
  const each = command as Command;
  const logId = logIdOf(each);
  if (lane === undefined && logId === undefined) throw new Fault('not-found', 'no such thread');
  const turn = new Turn(lane ?? emptyLane(key.scope, key.threadId, logId ?? ''), found, nowMs);
  const outcome = run(turn, each, rules, lane === undefined);
  return turn.done(outcome as Outcomes[Type]);
}

/** What a command that makes a thread where there is none calls its log. */
function logIdOf(command: Command): string | undefined {
  if (command.type === 'accept') return command.ids.logId;
  return command.type === 'create' ? command.logId : undefined;
}

function run(turn: Turn, command: Command, rules: Rules, isNew: boolean): Outcomes[CommandType] {
  switch (command.type) {
    case 'accept':
      return accept(turn, command, rules, isNew);
    case 'redrive':
      return redrive(turn, command, rules);
    case 'discard':
      return discard(turn, command);
    case 'create':
      return create(turn, command, isNew);
    case 'patch':
      return patch(turn, command);
    case 'remove':
      return remove(turn, command);
    case 'claim':
      return { started: claimNext(turn, command.offer) };
    case 'ask':
      return ask(turn, command, rules);
    case 'once':
      return once(turn, command);
    case 'endOnce':
      return endOnce(turn, command);
    case 'takeInput':
      return takeInput(turn, command);
    case 'checkpoint':
      return checkpoint(turn, command);
    case 'wait':
      return wait(turn, command, rules);
    case 'resume':
      return resume(turn, command);
    case 'settle':
      return settle(turn, command, rules);
    case 'release':
      return release(turn, command);
    case 'lost':
      return lost(turn, command, rules);
    case 'finish':
      return finish(turn, command);
    case 'decide':
      return decide(turn, command);
    case 'withdraw':
      return withdraw(turn, command);
    case 'cancel':
      return cancel(turn, command, rules);
    case 'interrupt':
      return interrupt(turn, command, rules);
    case 'retract':
      return retract(turn, command);
    case 'edit':
      return edit(turn, command);
    case 'reorder':
      return reorder(turn, command);
    case 'subscribe':
      return subscribe(turn, command, rules);
    case 'unsubscribe':
      return unsubscribe(turn, command);
    case 'claimPush':
      return claimPush(turn, command);
    case 'pushed':
      return pushed(turn, command);
    case 'pushFailed':
      return pushFailed(turn, command, rules);
    case 'tick':
      return tick(turn);
  }
}

/** Does what has become due by time alone. */
function tick(turn: Turn): object {
  const wake = wakeAtMs(turn.before);
  // The lane's time moves with what it was woken for, even when that is for the queue alone: a backoff that is over.
  if (wake !== undefined && wake <= turn.nowMs) turn.touch();
  expireDue(turn);
  const phase = turn.lane.open?.phase;
  const parks = phase?.is === 'waiting' && phase.parkAtMs !== undefined && phase.parkAtMs <= turn.nowMs;
  if (parks) turn.setOpen({ phase: { is: 'parked' } });
  if (phase?.is === 'stopping' && phase.graceEndsAtMs <= turn.nowMs) endOpen(turn, phase.outcome);
  return {};
}
