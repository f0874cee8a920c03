import type { Activation, ActivationOutcome } from '../../schemas/activation.ts';
import type { ActivationId } from '../../schemas/id.ts';
import type { Run } from '../../schemas/run.ts';
import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import type { Standing } from '../../schemas/standing.ts';
import { Fault } from '../fault.ts';
import type { Lane, LaneClaim, OpenRun, QueuedActivation } from './lane.ts';
import type { Found, RecordKind, Records, Step, Write } from './records.ts';
import { standingKey, standingOf } from './standing.ts';

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** The open run while somebody holds it. */
export type HeldRun = OpenRun & { readonly phase: { readonly claim: LaneClaim } };

/**
 * One command's work on a lane: collects what it changes and writes, and numbers its events. It lives for one call of
 * `step`, whose caller sees only the finished Step.
 */
export class Turn {
  readonly lane: Mutable<Lane>;
  /** The store's time, and never below the lane's: a clock that went back stands still here. */
  readonly nowMs: number;
  readonly before: Lane;
  readonly #found: Found;
  readonly #writes: Write[] = [];
  #touched = false;
  /** Where among the writes each record's is. */
  readonly #places = new Map<string, number>();

  constructor(lane: Lane, found: Found, nowMs: number) {
    this.before = lane;
    this.#found = found;
    this.nowMs = Math.max(nowMs, lane.lastMs);
    this.lane = { ...lane, lastMs: this.nowMs };
  }

  /** A record as it is with what this turn has written. */
  find<Kind extends RecordKind>(kind: Kind, id: string): Records[Kind] | undefined {
    const place = this.#places.get(`${kind}/${id}`);
    const write = place === undefined ? undefined : this.#writes[place];
    if (write?.op === 'remove') return undefined;
    return write?.op === 'put' ? (write.value as Records[Kind]) : this.#found.find(kind, id);
  }

  /** A record that the lane says is there. */
  get<Kind extends RecordKind>(kind: Kind, id: string): Records[Kind] {
    const record = this.find(kind, id);
    if (record === undefined) throw new Fault('internal', `the lane names ${kind} ${id}, and there is none`);
    return record;
  }

  /** A request that a caller names. @throws Fault `not-found` */
  named(id: ActivationId): Activation {
    const activation = this.find('activation', id);
    if (activation === undefined) throw new Fault('not-found', `no request has the id ${id}`);
    return activation;
  }

  put<Kind extends RecordKind>(kind: Kind, id: string, value: Records[Kind]): void {
    const name = `${kind}/${id}`;
    const place = this.#places.get(name) ?? this.#writes.length;
    this.#places.set(name, place);
    this.#writes[place] = { op: 'put', kind, id, value } as Write;
  }

  remove(kind: RecordKind, id: string): void {
    const name = `${kind}/${id}`;
    const place = this.#places.get(name) ?? this.#writes.length;
    this.#places.set(name, place);
    this.#writes[place] = { op: 'remove', kind, id };
  }

  /** The whole thread goes, and with it whatever else this turn has written. */
  drop(): void {
    this.#writes.splice(0, this.#writes.length, { op: 'drop' });
  }

  /** Records an event, of a run if one is given, and returns its number. */
  event(body: EventBody, run?: RunStamp): number {
    this.lane.head += 1;
    const envelope = { seq: this.lane.head, atMs: this.lane.lastMs, threadId: this.lane.threadId };
    const event: RunEvent = run === undefined ? { ...envelope, ...body } : { ...envelope, ...run, ...body };
    this.#writes.push({ op: 'event', event });
    return this.lane.head;
  }

  /** The open run. @throws Fault `claim-lost` */
  open(): OpenRun {
    if (this.lane.open === undefined) throw new Fault('claim-lost', 'the thread has no open run');
    return this.lane.open;
  }

  /** The open run, held by this token. @throws Fault `claim-lost` */
  held(token: string): HeldRun {
    const held = this.findHeld(token);
    if (held === undefined) throw new Fault('claim-lost', 'this attempt no longer holds its run');
    return held;
  }

  findHeld(token: string | undefined): HeldRun | undefined {
    const open = this.lane.open;
    if (open === undefined || !('claim' in open.phase) || open.phase.claim.token !== token) return undefined;
    return open as HeldRun;
  }

  /** What is as it is already is no change. */
  setOpen(change: Partial<OpenRun>): OpenRun {
    const open = this.open();
    const isNew = Object.entries(change).some(([key, value]) => open[key as keyof OpenRun] !== value);
    this.lane.open = isNew ? { ...open, ...change } : open;
    return this.lane.open;
  }

  setRun(runId: string, change: Partial<Run>): void {
    const before = this.get('run', runId);
    const after = { ...before, ...change };
    this.put('run', runId, after);
    this.#list(standingOf(before), standingOf(after));
  }

  #list(before: Standing | undefined, after: Standing | undefined): void {
    if (before?.is === after?.is && before?.atMs === after?.atMs) return;
    if (before !== undefined) this.remove('standing', standingKey(before));
    if (after !== undefined) this.put('standing', standingKey(after), after);
  }

  setActivation(id: ActivationId, state: Activation['state']): Activation {
    const activation = { ...this.get('activation', id), state };
    this.put('activation', id, activation);
    return activation;
  }

  answer(activation: QueuedActivation & { readonly fromSeq: number }, runId: string, outcome: ActivationOutcome): void {
    const { fromSeq } = activation;
    this.setActivation(activation.id, { is: 'answered', runId, fromSeq, toSeq: this.lane.head, outcome });
  }

  /** Lets the lane's time move though nothing else does. */
  touch(): void {
    this.#touched = true;
  }

  /** The finished step. A turn that wrote nothing leaves the lane as it was, its time included. */
  done<Result>(outcome: Result): Step<Result> {
    const changed = this.#touched || this.#writes.length > 0 || laneChanged(this.before, this.lane);
    return { lane: changed ? this.lane : this.before, writes: this.#writes, outcome };
  }
}

function laneChanged(before: Lane, after: Lane): boolean {
  return (
    before.open !== after.open ||
    before.queue !== after.queue ||
    before.inputs !== after.inputs ||
    before.left !== after.left ||
    before.subscriptions !== after.subscriptions ||
    before.headId !== after.headId
  );
}

/** What an event of a run carries. */
export interface RunStamp {
  readonly runId: string;
  readonly attempt: number;
  readonly token?: string;
}

export function stamp(open: OpenRun): RunStamp {
  const run = { runId: open.runId, attempt: open.attempt };
  return 'claim' in open.phase ? { ...run, token: open.phase.claim.token } : run;
}
