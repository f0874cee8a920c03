import type { RunEvent } from '../../schemas/run-event.ts';
import type { PushFilter, Subscription, SubscriptionRecord } from '../../schemas/subscription.ts';
import { Fault } from '../fault.ts';
import type { Command, Outcomes, PushRules, Rules } from './command.ts';
import { subscriptionKey } from './filing.ts';
import type { LaneSubscription } from './lane.ts';
import type { Turn } from './turn.ts';

/**
 * Makes a subscription, claimed by its maker. One that is there under the same name goes on from where it is.
 * @throws Fault `not-found`, `run-ended` (nothing of the run is left to deliver), `cursor-expired`, `too-many`
 */
export function subscribe(turn: Turn, command: Command<'subscribe'>, rules: Rules): Outcomes['subscribe'] {
  const { subscription, after, claim } = command;
  const { lane } = turn;
  const { runId } = subscription;
  const key = subscriptionKey(subscription);
  const known = turn.find('subscription', key);
  const moving = lane.subscriptions?.find((one) => one.id === key);
  if (known !== undefined && moving !== undefined) {
    const target = sameTarget(known, subscription) ? known.target : subscription.target;
    const { codec: _, ...rest } = known;
    const next = { ...rest, ...subscription, target };
    const isChanged =
      target !== known.target || next.filter !== known.filter || next.codec !== known.codec || next.door !== known.door;
    if (!isChanged) return { subscription: shown(known, moving) };
    turn.put('subscription', key, next);
    // Whatever went wrong with what it was before says nothing of what it is now.
    const isIdle = moving.claim === undefined;
    return {
      subscription: shown(next, isIdle ? move(turn, key, { attempts: 0, wakeAtMs: undefined, claim }) : moving),
    };
  }
  const run = turn.find('run', runId);
  if (run === undefined) throw new Fault('not-found', `no run has the id ${runId}`);
  if (after !== undefined && after > lane.head) {
    throw new Fault('cursor-expired', 'the position is beyond the end of the log');
  }
  const died = known?.state.is === 'dead' ? known.state : undefined;
  const cursor = Math.max(died?.cursor ?? 0, after ?? died?.cursor ?? lane.head);
  if (run.status === 'done' && cursor >= (run.lastSeq ?? 0)) throw new Fault('run-ended', 'the run is done');
  const onRun = lane.subscriptions?.filter((one) => one.runId === runId).length ?? 0;
  if (onRun + command.deadOnRun >= rules.push.perRun) {
    throw new Fault('too-many', `a run may have ${rules.push.perRun} subscriptions`);
  }
  if ((lane.subscriptions?.length ?? 0) >= rules.push.perThread) {
    throw new Fault('too-many', `a thread may have ${rules.push.perThread} active subscriptions`);
  }
  const record: SubscriptionRecord = {
    ...subscription,
    scope: lane.scope,
    threadId: lane.threadId,
    createdAtMs: known?.createdAtMs ?? lane.lastMs,
    state: { is: 'active' },
  };
  turn.put('subscription', key, record);
  const made: LaneSubscription = { id: key, runId, cursor, attempts: 0, claim };
  lane.subscriptions = [...(lane.subscriptions ?? []), made];
  return { subscription: shown(record, made) };
}

function sameTarget(a: Pick<SubscriptionRecord, 'target'>, b: Pick<SubscriptionRecord, 'target'>): boolean {
  const [x, y] = [a.target, b.target];
  return (
    x.url === y.url &&
    x.token === y.token &&
    x.authentication?.scheme === y.authentication?.scheme &&
    x.authentication?.credentials === y.authentication?.credentials
  );
}

/** Nothing more is sent. One that is not there is gone already. */
export function unsubscribe(turn: Turn, { id }: Command<'unsubscribe'>): Outcomes['unsubscribe'] {
  if (turn.find('subscription', id) !== undefined) end(turn, id);
  return {};
}

/** Takes a subscription to follow, where nobody has it and its time has come; undefined otherwise. */
export function claimPush(turn: Turn, { id, claim, over }: Command<'claimPush'>): Outcomes['claimPush'] {
  const moving = turn.lane.subscriptions?.find((one) => one.id === id);
  if (moving === undefined) return { subscription: undefined };
  const record = turn.get('subscription', id);
  if (moving.claim?.token === claim.token) return { subscription: shown(record, moving) };
  const isFree = moving.claim === undefined ? (moving.wakeAtMs ?? 0) <= turn.nowMs : moving.claim.token === over;
  if (!isFree) return { subscription: undefined };
  return { subscription: shown(record, move(turn, id, { claim, wakeAtMs: undefined })) };
}

/** Moves the cursor on. With the end of its run delivered, a subscription is over. @throws Fault `claim-lost` */
export function pushed(turn: Turn, { id, token, upTo }: Command<'pushed'>): Outcomes['pushed'] {
  const moving = findClaimed(turn, id, token);
  if (moving === undefined) return { is: 'over' };
  return { is: advance(turn, moving, upTo) };
}

/**
 * Gives the claim back until it is time to try again, or gives the subscription up.
 * @throws Fault `claim-lost`
 */
export function pushFailed(turn: Turn, command: Command<'pushFailed'>, rules: Rules): Outcomes['pushFailed'] {
  const { id, token, upTo, fault, retryAfterMs } = command;
  const moving = findClaimed(turn, id, token);
  if (moving === undefined) return { is: turn.find('subscription', id) === undefined ? 'over' : 'dead' };
  if (advance(turn, moving, upTo) === 'over') return { is: 'over' };
  const { lane } = turn;
  const atMs = lane.lastMs;
  const { attempts: before, cursor } = moving.cursor < upTo ? { attempts: 0, cursor: upTo } : moving;
  const attempts = before + 1;
  const record = turn.get('subscription', id);
  if (command.final || attempts >= rules.push.maxAttempts) {
    drop(turn, id);
    turn.put('subscription', id, { ...record, state: { is: 'dead', fault, atMs, attempts, cursor } });
    return { is: 'dead' };
  }
  turn.put('subscription', id, { ...record, state: { is: 'active', lastFailure: { fault, atMs } } });
  const waitMs = Math.max(retryAfterMs ?? 0, pushBackoffMs(attempts, rules.push));
  const wakeAtMs = atMs + Math.min(rules.push.backoffCapMs, waitMs);
  move(turn, id, { attempts, wakeAtMs, claim: undefined });
  return { is: 'retrying' };
}

function pushBackoffMs(attempts: number, { backoffBaseMs, backoffCapMs }: PushRules): number {
  return Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(attempts - 1, 30));
}

function advance(turn: Turn, moving: LaneSubscription, upTo: number): 'active' | 'over' {
  const { head } = turn.lane;
  if (upTo > head) throw new Fault('cursor-expired', `${upTo} was delivered, and the log ends at ${head}`);
  if (upTo <= moving.cursor) return 'active';
  const run = turn.get('run', moving.runId);
  if (run.status === 'done' && upTo >= (run.lastSeq ?? 0)) {
    end(turn, moving.id);
    return 'over';
  }
  move(turn, moving.id, { cursor: upTo, attempts: 0 });
  return 'active';
}

/** Undefined where the subscription is over. @throws Fault `claim-lost` where somebody else has it */
function findClaimed(turn: Turn, id: string, token: string): LaneSubscription | undefined {
  const moving = turn.lane.subscriptions?.find((one) => one.id === id);
  if (moving !== undefined && moving.claim?.token !== token) {
    throw new Fault('claim-lost', 'the subscription is no longer followed under this claim');
  }
  return moving;
}

function move(turn: Turn, id: string, change: Partial<LaneSubscription>): LaneSubscription {
  const { lane } = turn;
  const moving = lane.subscriptions?.find((one) => one.id === id);
  if (moving === undefined) throw new Fault('internal', `the lane has no subscription ${id}`);
  const moved = { ...moving, ...change };
  lane.subscriptions = lane.subscriptions?.map((one) => (one === moving ? moved : one));
  return moved;
}

/** Takes it out of the lane; a lane without any is as if there never had been one. */
function drop(turn: Turn, id: string): void {
  const left = turn.lane.subscriptions?.filter((one) => one.id !== id) ?? [];
  turn.lane.subscriptions = left.length === 0 ? undefined : left;
}

function end(turn: Turn, id: string): void {
  drop(turn, id);
  turn.remove('subscription', id);
}

/** A subscription as a whole: its record, and where the lane has it (undefined: it was given up). */
export function shown(record: SubscriptionRecord, moving: LaneSubscription | undefined): Subscription {
  const { state } = record;
  const { cursor, attempts } = moving ?? (state.is === 'dead' ? state : { cursor: 0, attempts: 0 });
  return { ...record, cursor, attempts, wakeAtMs: moving?.wakeAtMs };
}

/** Whether an event is one that a subscription to this run is for. The end of the run always is. */
export function isWanted(event: RunEvent, { runId, filter }: Pick<SubscriptionRecord, 'runId' | 'filter'>): boolean {
  return event.runId === runId && passes(filter, event);
}

function passes(filter: PushFilter, { type }: RunEvent): boolean {
  switch (filter) {
    case 'status':
      return type.startsWith('run.') || type.startsWith('ticket.');
    case 'everything':
      return true;
  }
}
