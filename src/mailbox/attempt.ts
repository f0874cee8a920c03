import { setImmediate as nextTick } from 'node:timers/promises';
import type { MessageId, ThreadKey } from '../../schemas/id.ts';
import type { Json } from '../../schemas/json.ts';
import type { Message } from '../../schemas/message.ts';
import type { Completed } from '../../schemas/run.ts';
import { RunEventBody } from '../../schemas/run-event.ts';
import type { Activated, Agent } from '../agents/agent.ts';
import type { Clock } from '../clock.ts';
import { Recorder, type RecorderLimits } from '../events/recorder.ts';
import {
  discardOf,
  foldBody,
  hasMessage,
  markBoundary,
  messagesOf,
  pendingToolCalls,
  type RunView,
} from '../events/view.ts';
import { Fault } from '../fault.ts';
import type { Ids } from '../ids.ts';
import type { Command, CommandType, Outcomes, Started, Written } from '../lane/command.ts';
import { claimOf, type Lane } from '../lane/lane.ts';
import { copyOf } from './agent-input.ts';
import { AttemptContext, type ContextPorts } from './context.ts';
import type { Slots } from './slots.ts';
import type { Store } from './store.ts';

/** How long an agent with open questions must be quiet before its run is said to wait. */
const quietMs = 100;
/** An agent that never lets go of the event loop is made to, so that what it wrote gets out. */
const pushesPerTick = 64;

export interface AttemptPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly slots: Slots;
  readonly limits: RecorderLimits;
  readonly turn: <Type extends CommandType>(thread: ThreadKey, command: Command<Type>) => Promise<Outcomes[Type]>;
}

/** How an attempt ended, for who settles it. */
export type Ended =
  | { readonly is: 'turn-ended'; readonly ending: Pick<Completed, 'type' | 'stop' | 'result'> }
  | { readonly is: 'failed'; readonly fault: Fault }
  /** It was told to end; what that means is in the lane. */
  | { readonly is: 'aborted' };

/**
 * One execution of a run by its agent: pulls its events and records them, says when it waits for people, and goes on
 * when they have answered. It is made with a slot; whoever settles it gives back what it still holds.
 *
 * Modes: `running` holds a slot → nothing to do until a person answers → `waiting` gave it back → `going-on` waits for
 * one → `running`. Any of them → its agent ended, or it was broken off → `over`, for good.
 */
export class Attempt {
  readonly thread: ThreadKey;
  readonly started: Started;
  readonly view: RunView;
  readonly #agent: Agent;
  readonly #activated: Activated;
  readonly #ports: AttemptPorts;
  readonly #recorder: Recorder;
  readonly #context: AttemptContext;
  readonly #abort = new AbortController();
  #mode: 'running' | 'waiting' | 'going-on' | 'over' = 'running';
  #holdsSlot = true;
  #cancelQuiet: (() => void) | undefined;
  #recordsWait = false;
  /** Somebody had the run go on since it was last said to wait. */
  #wasResumed = false;
  #goingOn: Promise<void> | undefined;
  #pushes = 0;
  #entered: readonly MessageId[] = [];
  /** Why it ends before its agent does: it was told to, or something of ours failed. */
  #stopped: { readonly is: 'told' | 'failed'; readonly fault: Fault } | undefined;
  #broken = false;
  #breakNext: (() => void) | undefined;

  constructor(
    what: {
      readonly thread: ThreadKey;
      readonly started: Started;
      readonly view: RunView;
      readonly activated: Activated;
      readonly client: ContextPorts['client'];
    },
    agent: Agent,
    ports: AttemptPorts,
  ) {
    this.thread = what.thread;
    this.started = what.started;
    this.view = what.view;
    this.#activated = what.activated;
    this.#agent = agent;
    this.#ports = ports;
    const { runId, attempt, token } = this.started;
    const claim = { thread: this.thread, runId, attempt, token };
    this.#recorder = new Recorder({
      view: this.view,
      append: (ordinal, entries) => ports.store.append(claim, ordinal, entries),
      failed: (why) => {
        this.#breakOff({ is: 'failed', fault: why });
      },
      clock: ports.clock,
      limits: ports.limits,
    });
    this.#context = new AttemptContext(this, { ...ports, client: what.client });
  }

  get token(): string {
    return this.started.token;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** A waiting attempt gave its slot back. */
  get holdsSlot(): boolean {
    return this.#holdsSlot;
  }

  /** Whether its view is what the log says; not after events that it took were lost, or others' that it has not read. */
  get isWhole(): boolean {
    return !this.#broken && this.#entered.every((id) => hasMessage(this.view, id));
  }

  /** Runs the agent to its end. Never rejects; what the agent wrote is durable then, as far as it could be. */
  async run(): Promise<Ended> {
    let ended: Ended;
    try {
      await this.#discardUnfinal();
      const ending = await this.#pump();
      await this.#recorder.flush();
      ended = { is: 'turn-ended', ending };
    } catch (error) {
      ended = { is: 'failed', fault: Fault.from(error) };
      await this.#recorder.flush().catch(() => undefined);
    }
    this.#mode = 'over';
    this.#cancelQuiet?.();
    if (this.#stopped === undefined) return ended;
    return this.#stopped.is === 'told' ? { is: 'aborted' } : { is: 'failed', fault: this.#stopped.fault };
  }

  async #discardUnfinal(): Promise<void> {
    const discarded = this.started.fresh === undefined ? discardOf(this.view) : undefined;
    if (discarded === undefined) return;
    void this.#recorder.push(discarded);
    await this.#recorder.flush();
  }

  async #pump(): Promise<Pick<Completed, 'type' | 'stop' | 'result'>> {
    let ending: Pick<Completed, 'type' | 'stop' | 'result'> = { type: 'completed', stop: 'end_turn' };
    if (this.signal.aborted) return ending;
    const events = this.#agent.run(this.#activated, this.#context)[Symbol.asyncIterator]();
    let hasEnded = false;
    try {
      for (;;) {
        const next = await this.#next(events);
        hasEnded = next?.done === true;
        if (next === undefined || next.done === true) return ending;
        if (this.#mode !== 'running') await this.goOn();
        const body = ownCopy(next.value);
        if (body.type === 'ending') {
          ending = { type: 'completed', stop: body.stop, result: body.result };
          continue;
        }
        const room = this.#recorder.push(body);
        this.#pushes += 1;
        this.quieten();
        if (room !== undefined) await room;
        if (this.#pushes % pushesPerTick === 0) await nextTick();
      }
    } finally {
      if (!hasEnded) cleanUp(events);
    }
  }

  /** The agent's next event; undefined when the attempt was broken off. (A race would keep a reaction for each event.) */
  #next(events: AsyncIterator<RunEventBody>): Promise<IteratorResult<RunEventBody> | undefined> {
    if (this.#broken) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#breakNext = () => {
        resolve(undefined);
      };
      events.next().then(resolve, reject);
    });
  }

  /** Tells the agent to stop: its signal fires, what it waits for rejects. It may still write until it has ended. */
  abort(why: Fault): void {
    this.#stop({ is: 'told', fault: why });
  }

  /** Ends the attempt whatever its agent does: nothing it yields from here on counts. */
  breakOff(why: Fault): void {
    this.#breakOff({ is: 'told', fault: why });
  }

  /** Something of ours failed: the attempt did, and its agent is told to stop. */
  fail(why: Fault): void {
    this.#stop({ is: 'failed', fault: why });
  }

  #breakOff(why: { readonly is: 'told' | 'failed'; readonly fault: Fault }): void {
    this.#stop(why);
    this.#broken = true;
    this.#recorder.stop(why.fault);
    this.#breakNext?.();
  }

  /** The first reason stands, and being told to stop is never the attempt's failure. */
  #stop(why: { readonly is: 'told' | 'failed'; readonly fault: Fault }): void {
    if (this.#stopped === undefined || why.is === 'told') this.#stopped = why;
    if (this.signal.aborted) return;
    this.#abort.abort(why.fault);
    this.#context.abandon(why.fault);
  }

  /** Everything taken so far is durable. */
  flush(): Promise<void> {
    return this.#recorder.flush();
  }

  turn<Type extends CommandType>(command: Command<Type>): Promise<Outcomes[Type]> {
    return this.#ports.turn(this.thread, command);
  }

  reachedBoundary(): void {
    markBoundary(this.view);
  }

  tookInput(messages: readonly Message[]): void {
    for (const message of messages) {
      if (!hasMessage(this.view, message.id)) foldBody(this.view, { type: 'message.added', message });
    }
    if (messages.length > 0) markBoundary(this.view);
  }

  /** Reads what came along with answers, so that the agent's history has it. */
  async readEntered(): Promise<void> {
    for (const id of this.#entered) {
      if (hasMessage(this.view, id)) continue;
      const message = await this.#ports.store.findRecord(this.thread, 'message', id);
      if (message !== undefined) this.tookInput([message]);
    }
  }

  /** Something moved: counts the quiet time anew, if there is anything to wait for. */
  quieten(): void {
    this.#cancelQuiet?.();
    this.#cancelQuiet = undefined;
    if (!this.#isQuiet()) return;
    this.#cancelQuiet = this.#ports.clock.at(this.#ports.clock.now() + quietMs, () => {
      void this.#wait();
    });
  }

  /** One at a time, because each that is recorded gives a slot back. */
  async #wait(): Promise<void> {
    if (this.#recordsWait || !this.#isQuiet()) return;
    this.#recordsWait = true;
    try {
      await this.#recorder.flush();
      const before = this.#pushes;
      this.#wasResumed = false;
      const { waiting } = await this.turn({ type: 'wait', token: this.token });
      if (!waiting || this.#mode !== 'running') return;
      this.#mode = 'waiting';
      this.#giveSlot();
      // Answered, active again or spoken to, while that was being recorded.
      if (!this.#context.waits || this.#pushes !== before || this.#wasResumed) await this.goOn();
    } catch (error) {
      this.fail(Fault.from(error));
    } finally {
      this.#recordsWait = false;
      this.quieten();
    }
  }

  #isQuiet(): boolean {
    return this.#context.waits && this.#mode === 'running' && !this.signal.aborted;
  }

  #giveSlot(): void {
    this.#holdsSlot = false;
    this.#ports.slots.give();
  }

  /** Takes a slot again before the agent goes on; at once if it holds one. An attempt that was told to stop needs none. */
  async goOn(): Promise<void> {
    if (this.#mode === 'running' || this.#mode === 'over') return;
    this.#goingOn ??= this.#takeSlot().finally(() => {
      this.#goingOn = undefined;
    });
    await this.#goingOn;
    this.quieten();
  }

  async #takeSlot(): Promise<void> {
    this.#mode = 'going-on';
    const result = await this.#ports.slots.take(this.signal);
    if (result === 'aborted') return;
    this.#holdsSlot = true;
    if (this.#hasEnded()) {
      this.#giveSlot();
      return;
    }
    this.#mode = 'running';
    // Answered, the run resumed already; otherwise it is the agent that goes on by itself.
    await this.turn({ type: 'resume', token: this.token });
  }

  #hasEnded(): boolean {
    return this.#mode === 'over';
  }

  /** The lane changed: the claim may be gone, the run told to stop, a question answered. */
  observe(lane: Lane | undefined): void {
    const claim = lane === undefined ? undefined : claimOf(lane);
    if (lane === undefined || claim?.token !== this.token) {
      const why = new Fault('claim-lost', 'the run is no longer this process’s to execute');
      this.breakOff(why);
    } else if (lane.open?.phase.is === 'stopping') {
      this.abort(new Fault('claim-lost', 'the run was told to stop'));
    } else {
      this.#entered = lane.open?.entered ?? [];
      this.#context.observe(lane);
      this.#wasResumed = lane.open?.phase.is === 'running';
      if (this.#wasResumed && this.#mode === 'waiting')
        this.goOn().catch((error: unknown) => this.fail(Fault.from(error)));
    }
  }

  /** What the run wrote, for its end; nobody else's events up to `seq` are about that. */
  written(state: Json, seq: number): Written {
    return { ...writtenOf(this.view, this.started.agentId, state), seq };
  }
}

/** What a run leaves to its thread. `state` is the thread's when the run began. */
export function writtenOf(view: RunView, agentId: string, state: Json): Written {
  const moved = JSON.stringify(view.state) !== JSON.stringify(state);
  const { title, ...changes } = view.changes;
  return {
    messages: messagesOf(view, agentId),
    pendingToolCalls: pendingToolCalls(view),
    thread: {
      ...changes,
      ...(title === undefined ? {} : { title: title === '' ? undefined : title }),
      ...(moved ? { state: view.state } : {}),
    },
    seq: view.seq,
  };
}

/** An agent's event. What it has no say in (numbers, times, the run's end) it cannot yield. */
function ownCopy(event: RunEventBody): RunEventBody {
  if (isPlainDelta(event)) return { type: event.type, id: event.id, delta: event.delta };
  return copyOf(RunEventBody, event, 'an event');
}

/** One with nothing beside its text: by far the most there are. */
function isPlainDelta(
  event: RunEventBody,
): event is RunEventBody & { type: 'text.delta' | 'reasoning.delta' | 'tool.args' } {
  switch ((event as RunEventBody | null | undefined)?.type) {
    case 'text.delta':
    case 'reasoning.delta':
    case 'tool.args': {
      const { id, delta, subagentId, metadata, raw } = event as Readonly<Record<string, unknown>>;
      const isTagged = subagentId !== undefined || metadata !== undefined || raw !== undefined;
      return typeof id === 'string' && typeof delta === 'string' && !isTagged;
    }
    default:
      return false;
  }
}

/** An agent that did not end by itself is told to clean up; nobody waits for it, and its failing is no news. */
function cleanUp(events: AsyncIterator<RunEventBody>): void {
  const work = async (): Promise<void> => {
    await events.return?.();
  };
  void work().catch(() => undefined);
}
