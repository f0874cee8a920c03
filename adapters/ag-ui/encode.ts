// One activation's stream: a deterministic fold of its thread's log, from RUN_STARTED to exactly one terminal event.
// https://docs.ag-ui.com/spec/1.0/events/lifecycle
import { isDeepStrictEqual } from 'node:util';
import { EventType, PROTOCOL_VERSION } from '@ag-ui/core';
import type { RunId } from '../../schemas/id.ts';
import type { EventType as CanonicalType, RunEvent } from '../../schemas/run-event.ts';
import { textOf } from '../../schemas/part.ts';
import type { Outcome } from '../../schemas/run.ts';
import { Fault } from '../../src/fault.ts';
import type { ThreadView } from '../../src/gateway.ts';
import type { CaughtUp } from './cursor.ts';
import type { ClientCopy } from './decode.ts';
import { encoded, needsThread } from './encode-events.ts';
import {
  type Material,
  pushFault,
  pushMessages,
  pushOutcome,
  pushQuestions,
  pushState,
  pushStopped,
  viewOf,
} from './ending.ts';
import { Fold, type Opening } from './fold.ts';
import { wireId } from './messages.ts';
import type { Profile } from './profile.ts';

/** Which moment of which run's thread an event needs. */
export interface ThreadMoment {
  readonly runId: RunId;
  readonly seq: number;
}

/**
 * - `silent`: the stream is of somebody who comes later; nothing is told, left by `join`
 * - `before`: its run has not taken the activation; nothing is told. `recalls`: a run that may take it in its middle, and
 *   is followed until then
 * - `opening`: it has, and the rules still record what came with it; `seq` is the last of that
 * - `told`: the run is told as it goes
 * - `ended`: the terminal event is written
 */
type Mode =
  | { readonly is: 'silent'; readonly run: RunId }
  | { readonly is: 'before'; readonly run: RunId | undefined; readonly recalls: RunId | undefined }
  | { readonly is: 'opening'; readonly run: RunId; readonly seq: number; readonly recalled: boolean }
  | { readonly is: 'told'; readonly run: RunId }
  | { readonly is: 'ended' };

/** Encodes the log of a thread for one stream. Under the same name and fed with the same events it writes the same frames. */
export class RunEncoder {
  #fold: Fold;
  #mode: Mode;
  #run: RunId | undefined;

  constructor(opening: Opening) {
    const { name, run } = opening;
    const joins = name.is === 'join';
    this.#fold = new Fold(opening, joins ? 'silent' : 'speaking');
    this.#run = joins ? name.run : undefined;
    this.#mode = joins ? { is: 'silent', run: name.run } : { is: 'before', run, recalls: undefined };
  }

  get hasEnded(): boolean {
    return this.#mode.is === 'ended';
  }

  get profile(): Profile {
    return this.#fold.opening.profile;
  }

  /** The run's name on the wire. */
  get called(): string {
    return this.#fold.opening.runId;
  }

  /** The run that is told; undefined while none has taken the request. */
  get run(): RunId | undefined {
    return this.#run;
  }

  /** What a run told before this stream began: its request goes on with that run, or may be taken by it. */
  recall(run: RunId, event: RunEvent, material: Material): void {
    this.#mode = { is: 'before', run: this.#mode.is === 'before' ? this.#mode.run : run, recalls: run };
    this.#follow(run, event, material);
  }

  #follow(run: RunId, event: RunEvent, material: Material): void {
    if (!concerns(event, run) || endsTurn(event)) return;
    this.#fold.silence();
    this.#write(event, { ...material, view: nobody });
    this.#fold.speak();
  }

  /** What is told before any event, also while the run queues. */
  prelude(): readonly string[] {
    this.#fold.begin(this.#fold.opening.afterSeq);
    this.#start();
    return this.#fold.frames;
  }

  /**
   * What somebody who comes when all that was fed so far has happened is told: the thread as it is, and what is open, as
   * begun anew.
   */
  join(seq: number, material: Material): readonly string[] {
    const mode = this.#mode;
    if (mode.is !== 'silent') throw new Fault('internal', 'a stream is joined once, before it tells anything');
    this.#mode = { is: 'told', run: mode.run };
    this.#fold.begin(seq);
    this.#fold.speak();
    this.#start();
    pushState(this.#fold, viewOf(material).state);
    pushMessages(this.#fold, material, { newcomer: true, discarded: [...this.#fold.discardedReasoning] });
    this.#fold.pushHeld();
    this.#fold.reopen();
    return this.#fold.frames;
  }

  /** All that somebody is told who comes to a thread on which nothing happens. */
  encodeIdle(seq: number, material: Material, outcome: Outcome | undefined): readonly string[] {
    this.join(seq, material);
    pushOutcome(this.#fold, outcome ?? { type: 'completed', stop: 'end_turn', pendingToolCalls: [] });
    this.#mode = { is: 'ended' };
    return this.#fold.frames;
  }

  /** Closes what is open, for a client that is to be shown the thread anew. Its frames are no position to go on from. */
  encodeClosing(): readonly string[] {
    this.#fold.begin(0);
    this.#fold.closeAll('stopped');
    return withoutIds(this.#fold.frames);
  }

  #start(): void {
    const { threadId, runId, parentRunId } = this.#fold.opening;
    this.#fold.push({ type: EventType.RUN_STARTED, threadId, runId, protocolVersion: PROTOCOL_VERSION, parentRunId });
  }

  /** Which view `encode` needs with this event. */
  needsView(event: RunEvent): ThreadMoment | undefined {
    const mode = this.#mode;
    if (mode.is === 'before') return this.#blocks(event) ? { runId: event.runId, seq: event.seq } : undefined;
    if (mode.is === 'silent' || mode.is === 'ended' || !concerns(event, mode.run)) return undefined;
    const { run: runId } = mode;
    if (mode.is === 'told') return needsThread(this.#fold, event) ? { runId, seq: event.seq } : undefined;
    if (opens(event)) return undefined;
    return { runId, seq: needsThread(this.#fold, event) ? event.seq : mode.seq };
  }

  /** The frames of one event, in order. @throws Fault `too-large` */
  encode(event: RunEvent, material: Material): readonly string[] {
    const mode = this.#mode;
    this.#fold.begin(event.seq);
    switch (mode.is) {
      case 'silent':
        if (concerns(event, mode.run) && !endsTurn(event)) this.#write(event, { ...material, view: nobody });
        break;
      case 'before':
        this.#await(event, mode, material);
        break;
      case 'opening':
        if (!concerns(event, mode.run)) break;
        if (opens(event)) {
          this.#mode = { ...mode, seq: event.seq };
          break;
        }
        this.#mode = { is: 'told', run: mode.run };
        if (!restatesThread(event)) this.#catchUp(material);
        if (mode.recalled) this.#fold.reopen();
        this.#tell(event, material);
        break;
      case 'told':
        if (concerns(event, mode.run)) this.#tell(event, material);
        break;
      case 'ended':
        break;
    }
    return this.#fold.frames;
  }

  /** What follows the prelude where the activation was taken back before a run took it. */
  encodeRetracted(): readonly string[] {
    const told = this.#fold.frames.length;
    this.#stop();
    return this.#fold.frames.slice(told);
  }

  /** What follows the prelude where the thread waited for a person already. */
  encodeBlocked(material: Material): readonly string[] {
    const told = this.#fold.frames.length;
    this.#endBlocked(material);
    return this.#fold.frames.slice(told);
  }

  /** Ends the stream for a reason that is not in the log, so its frame has no position to go on from. */
  encodeFault(fault: Fault): readonly string[] {
    this.#fold.begin(0);
    pushFault(this.#fold, fault);
    this.#mode = { is: 'ended' };
    return withoutIds(this.#fold.frames);
  }

  #await(event: RunEvent, { run, recalls }: Mode & { is: 'before' }, material: Material): void {
    const activation = this.#fold.activation ?? '';
    switch (event.type) {
      case 'run.queued':
        // Input that its run did not take has become a run of its own.
        if (event.activation === activation) this.#mode = { is: 'before', run: event.runId, recalls };
        return;
      case 'run.started':
        if (event.activations.includes(activation)) this.#open(event, recalls);
        return;
      case 'run.resumed':
      case 'input.taken':
        if (event.activation === activation) this.#open(event, recalls);
        return;
      case 'input.retracted':
        if (event.activation !== activation) return;
        this.#forget(event.seq);
        this.#stop();
        return;
      case 'run.waiting':
        if (this.#blocks(event)) this.#endBlocked(material);
        return;
      case 'run.finished':
        // Cancelled, or superseded, while it queued.
        if (event.runId !== run || run === undefined) return;
        this.#forget(event.seq);
        pushOutcome(this.#fold, event.outcome);
        this.#mode = { is: 'ended' };
        return;
      default:
        if (recalls !== undefined) this.#follow(recalls, event, material);
        return;
    }
  }

  /** Whether the thread waits for a person before a run takes the activation: the client is asked, and its request stays. */
  #blocks(event: RunEvent): event is RunEvent & { readonly runId: RunId } {
    return event.type === 'run.waiting' && event.runId !== undefined && !this.#isTaken();
  }

  /** A run took the request before this stream began: it is told to its end, whatever else the thread waited for. */
  #isTaken(): boolean {
    const { name } = this.#fold;
    return name.is === 'run' && name.began === 'taken';
  }

  /** Unless it lacks something, the client is not told the messages: they are without those that its request holds. */
  #endBlocked(material: Material): void {
    this.#catchUp(material);
    pushQuestions(this.#fold, viewOf(material));
    this.#mode = { is: 'ended' };
  }

  #open(event: RunEvent, recalls: RunId | undefined): void {
    const { runId: run, seq } = event;
    if (run === undefined) return;
    this.#run = run;
    const recalled = run === recalls;
    this.#mode = { is: 'opening', run, seq, recalled };
    if (recalled) this.#fold.takeOver();
    // It became a run of its own after all.
    else if (recalls !== undefined) this.#forget(seq);
  }

  /** What another run told is not this stream's client's. */
  #forget(seq: number): void {
    const { opening, name } = this.#fold;
    this.#fold = new Fold({ ...opening, name });
    this.#fold.begin(seq);
  }

  #stop(): void {
    pushStopped(this.#fold, { code: 'CANCELLED', message: 'the request was taken back', reason: 'retracted' });
    this.#mode = { is: 'ended' };
  }

  /** Tells the client what the thread holds and its own copy does not. */
  #catchUp(material: Material): void {
    const view = viewOf(material);
    const { name, opening } = this.#fold;
    if (name.is === 'join') return;
    const caughtUp = name.caughtUp === 'undecided' ? lackOf(opening.copy, view) : name.caughtUp;
    this.#fold.rename({ ...name, caughtUp });
    if (caughtUp === 'state' || caughtUp === 'both') pushState(this.#fold, view.state);
    if (caughtUp === 'messages' || caughtUp === 'both') pushMessages(this.#fold, material);
  }

  #write(event: RunEvent, material: Material): void {
    const row = encoded[event.type];
    if (typeof row === 'function') row(this.#fold, event as never, material);
  }

  #tell(event: RunEvent, material: Material): void {
    this.#write(event, material);
    if (event.type === 'run.waiting' || event.type === 'run.finished') this.#mode = { is: 'ended' };
  }
}

function withoutIds(frames: readonly string[]): string[] {
  return frames.map((frame) => frame.slice(frame.indexOf('\n') + 1));
}

/** What nobody is told needs no thread. */
const nobody: ThreadView = { messages: [], state: {}, tickets: [] };

/** Where a stream of the run ends, and another one of the same run may go on. */
function endsTurn({ type }: RunEvent): boolean {
  return type === 'run.waiting' || type === 'run.resumed' || type === 'run.finished';
}

function lackOf(copy: ClientCopy | undefined, view: ThreadView): CaughtUp {
  if (copy === undefined) return 'both';
  const lacksState = !isDeepStrictEqual(view.state, copy.state);
  const lacksMessages = isBehind(copy.messages, view);
  if (lacksState) return lacksMessages ? 'both' : 'state';
  return lacksMessages ? 'messages' : 'nothing';
}

/** Its run's own, or the thread's. */
function concerns(event: RunEvent, run: RunId): boolean {
  return event.runId === undefined || event.runId === run;
}

const openingTypes: ReadonlySet<CanonicalType> = new Set<CanonicalType>([
  'message.added',
  'run.queued',
  'run.resumed',
  'ticket.opened',
  'ticket.closed',
  'input.staged',
  'input.taken',
  'input.edited',
  'input.retracted',
  'thread.branched',
]);

/** What the rules record when a run takes a request: its messages, results and state, before the agent goes on. */
function opens(event: RunEvent): boolean {
  if (event.type === 'tool.result' || event.type === 'state.snapshot') return event.origin === 'client';
  return openingTypes.has(event.type);
}

function restatesThread({ type }: RunEvent): boolean {
  return type === 'run.waiting' || type === 'attempt.discarded';
}

/**
 * Whether a client lacks messages of the thread, or has the beginning of one only. It may have its own reasons to keep
 * no reasoning.
 */
function isBehind(copy: ReadonlyMap<string, number>, { messages }: ThreadView): boolean {
  return messages.some((message) => {
    if (message.role === 'reasoning' || message.role === 'activity') return false;
    const length = copy.get(wireId(message));
    return length === undefined || (message.role === 'assistant' && length !== textOf(message.parts).length);
  });
}
