import { setMaxListeners } from 'node:events';
import type { Actor, ThreadKey } from '../../schemas/id.ts';
import type { Json } from '../../schemas/json.ts';
import type { Agent } from '../agents/agent.ts';
import type { Attachment } from '../attachment.ts';
import type { Clock } from '../clock.ts';
import type { RecorderLimits } from '../events/recorder.ts';
import { Fault } from '../fault.ts';
import type { Ids } from '../ids.ts';
import type { Command, CommandType, Outcomes, Rules, Started, Written } from '../lane/command.ts';
import { type Lane, type LaneClaim, nextDispatch, wakeAtMs } from '../lane/lane.ts';
import { step } from '../lane/step.ts';
import type { Log } from '../log.ts';
import { threadName } from '../thread-name.ts';
import { Attempt, type Ended, writtenOf } from './attempt.ts';
import { readBrief } from './brief.ts';
import { Slots } from './slots.ts';
import type { ReadyCursor, Store } from './store.ts';
import { WakeTimer } from './timer.ts';
import { loadView } from './views.ts';

export interface RunnerLimits extends Rules, RecorderLimits {
  readonly maxRunning: number;
  readonly wakeFallbackMs: number;
  /** How long a stopping process lets agents end by themselves. */
  readonly shutdownGraceMs: number;
  /** How long the events of ended runs are kept; undefined keeps them. */
  readonly retentionMs: number | undefined;
}

export interface RunnerPorts {
  readonly store: Store;
  readonly agents: { find(id: string): Agent | undefined };
  readonly clock: Clock;
  readonly ids: Ids;
  readonly limits: RunnerLimits;
  readonly log: Log;
  /** An actor's live client of a thread by its name. */
  readonly attachment: (thread: ThreadKey, actor: Actor, id: string) => Attachment;
  /** Told of each lane after a turn on it, and of those with subscriptions at the start; undefined: the thread is gone. */
  readonly onLane: (thread: ThreadKey, lane: Lane | undefined) => void;
}

/** A command that brings in a request, without what the runner adds. */
type Asking<Type extends 'accept' | 'redrive'> = Omit<Command<Type>, 'offer' | 'waitsInAll'>;

/** Work on a thread that must be done sooner or later. */
interface Refused {
  readonly thread: ThreadKey;
  readonly work: () => Promise<unknown>;
}

/** What became of a slot that was to be filled. */
type Taken = 'slot' | 'miss' | 'nothing';

const batch = 64;
const purgeEveryMs = 60_000;

/**
 * Takes turns of the rules on the store, executes the runs that they start, and wakes what is due. Everything it keeps in
 * memory (attempts, slots, the timer) can be lost and is found again from the records.
 *
 * Modes: `new` → start → `running` → stop → `stopped`, for good.
 */
export class Runner {
  readonly #ports: RunnerPorts;
  readonly #slots: Slots;
  readonly #timer: WakeTimer;
  readonly #owner: string;
  readonly #attempts = new Map<string, Attempt>();
  /** What the store has refused for now, and nothing but a sweep would try again. */
  readonly #refused = new Map<string, Refused>();
  /** What is under way; stopping waits for it. None of it rejects. */
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #mode: 'new' | 'running' | 'stopped' = 'new';
  #stopped: Promise<void> | undefined;
  #graceIsOver = false;
  #readyCursor: ReadyCursor | undefined;
  #sweeping: Promise<void> | undefined;
  #sweepAgain = false;
  /** Whether some thread may have work that nobody claimed. */
  #starved = true;
  /** Whether the store wrote when it was looked at last. */
  #wrote = true;
  #claiming = false;
  #purgedAtMs = 0;

  constructor(ports: RunnerPorts) {
    this.#ports = ports;
    this.#slots = new Slots(ports.limits.maxRunning, () => {
      this.#lookForWork();
    });
    this.#timer = new WakeTimer(ports.clock, ports.limits.wakeFallbackMs, () => {
      void this.#sweep();
    });
    this.#owner = ports.ids.next('own');
    // Every open stream listens for the end; so many are no leak.
    setMaxListeners(0, this.#stopping.signal);
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Takes over what earlier processes left, then starts what is ready. */
  start(): Promise<void> {
    if (this.#mode !== 'new') throw new Fault('internal', 'it starts once');
    this.#mode = 'running';
    return this.#tracked(this.#recover().then(() => this.#sweep()));
  }

  /**
   * Stops executing: agents are told, and what can run again elsewhere is released. Resolves when nothing is under way;
   * the store is left open.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#mode = 'stopped';
    const why = new Fault('shutting-down', 'the gateway is stopping');
    this.#stopping.abort(why);
    this.#timer.stop();
    const { clock, limits } = this.#ports;
    for (const attempt of this.#attempts.values()) this.#tellOfStop(attempt);
    const cancel = clock.at(clock.now() + limits.shutdownGraceMs, () => {
      this.#graceIsOver = true;
      for (const attempt of this.#attempts.values()) attempt.breakOff(why);
    });
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    cancel();
  }

  /** An agent that cannot be run again has until the end of the grace to end its turn. */
  #tellOfStop(attempt: Attempt): void {
    const why = this.#stopping.signal.reason as Fault;
    const { recovery } = this.#ports.agents.find(attempt.started.agentId)?.card ?? {};
    if (this.#graceIsOver) attempt.breakOff(why);
    else if (recovery !== 'fail') attempt.abort(why);
  }

  /** Every claim of another owner is of a process that is gone: the store is held exclusively. */
  async #recover(): Promise<void> {
    const { store } = this.#ports;
    for (let after: ThreadKey | undefined; this.#mode === 'running';) {
      const threads = await store.held(after, batch);
      for (const thread of threads) {
        await this.#untilTaken(`recovery of ${threadName(thread)}`, thread, async () => {
          const lane = await store.findLane(thread);
          const phase = lane?.open?.phase;
          if (lane?.subscriptions !== undefined) this.#ports.onLane(thread, lane);
          if (phase?.is === 'ending') await this.#finish(thread);
          else if (phase !== undefined && 'claim' in phase && phase.claim.owner !== this.#owner)
            await this.turn(thread, { type: 'lost', token: phase.claim.token });
        });
      }
      after = threads.at(-1);
      if (after === undefined) return;
    }
  }

  /** Does what is due and starts what is ready, until there is no more. One sweep at a time. */
  #sweep(): Promise<void> {
    if (this.#sweeping === undefined) {
      this.#sweeping = this.#tracked(this.#sweepUntilDone());
    } else this.#sweepAgain = true;
    return this.#sweeping;
  }

  /** Never rejects, and always sees to the next one. */
  async #sweepUntilDone(): Promise<void> {
    const { clock, store, log } = this.#ports;
    let nextMs = Number.POSITIVE_INFINITY;
    do {
      this.#sweepAgain = false;
      const startedMs = clock.now();
      try {
        if (this.#writes() && this.#mode === 'running') await this.#sweepOnce();
        const dueMs = (await store.nextDueMs()) ?? Number.POSITIVE_INFINITY;
        // What was due when this sweep began, and is still, cannot be done: it must not keep the process busy.
        nextMs = dueMs > startedMs ? dueMs : Number.POSITIVE_INFINITY;
      } catch (error) {
        log.error({ error }, 'the sweep failed; it is tried again');
      }
    } while (this.#sweepAgain && this.#mode === 'running');
    this.#sweeping = undefined;
    this.#timer.arm(nextMs);
  }

  async #sweepOnce(): Promise<void> {
    const { store } = this.#ports;
    await this.#tickDue();
    const refused = [...this.#refused];
    this.#refused.clear();
    for (const [name, { thread, work }] of refused) await this.#untilTaken(name, thread, work);
    for (const attempt of this.#attempts.values()) {
      await this.#isolated(attempt.thread, async () => {
        attempt.observe(await store.findLane(attempt.thread));
      });
    }
    await this.#claimReady();
    await this.#purge();
  }

  /** Each due thread once: those that stay due because they cannot be read hold up no other. */
  async #tickDue(): Promise<void> {
    const { store, clock } = this.#ports;
    const ticked = new Set<string>();
    for (let limit = batch; this.#mode === 'running';) {
      const due = await store.due(clock.now(), limit);
      const fresh = due.filter((thread) => !ticked.has(threadName(thread)));
      for (const thread of fresh) {
        ticked.add(threadName(thread));
        await this.#isolated(thread, () => this.turn(thread, { type: 'tick' }));
      }
      if (due.length < limit) return;
      limit = batch + due.length - fresh.length;
    }
  }

  async #purge(): Promise<void> {
    const { store, clock, limits } = this.#ports;
    const nowMs = clock.now();
    if (limits.retentionMs === undefined || nowMs - this.#purgedAtMs < purgeEveryMs) return;
    const evicted = await store.purge(nowMs - limits.retentionMs, batch);
    if (evicted === 0) this.#purgedAtMs = nowMs;
  }

  #lookForWork(): void {
    if (!this.#starved || this.#claiming || this.#mode !== 'running') return;
    const claiming = this.#claimReady().catch((error: unknown) => {
      this.#ports.log.error({ error }, 'looking for work failed; the next sweep tries again');
    });
    void this.#tracked(claiming);
  }

  /** Starts what is ready while slots are free. Called when work may have been left for want of one. */
  async #claimReady(): Promise<void> {
    if (this.#claiming || !this.#writes()) return;
    this.#claiming = true;
    const missed = new Set<string>();
    try {
      while (this.#mode === 'running' && this.#slots.tryTake()) {
        let taken: Taken = 'nothing';
        try {
          taken = await this.#claimOne(missed);
        } finally {
          if (taken !== 'slot') this.#slots.give();
        }
        if (taken === 'nothing') return;
      }
    } finally {
      this.#claiming = false;
    }
  }

  /** Takes the slot, misses a thread that could not be claimed, or finds nothing but such. */
  async #claimOne(missed: Set<string>): Promise<Taken> {
    // One more than were missed: those stay first among their actor's.
    const found = await this.#ports.store.ready(this.#readyCursor, missed.size + 1);
    if (found.length === 0) this.#starved = false;
    const ready = found.find(({ thread }) => !missed.has(threadName(thread)));
    if (ready === undefined) return 'nothing';
    const { thread, cursor } = ready;
    this.#readyCursor = cursor;
    const offer = this.#offer();
    const claimed = await this.#isolated(thread, () => this.turn(thread, { type: 'claim', offer }));
    if (claimed?.started === undefined) {
      missed.add(threadName(thread));
      return 'miss';
    }
    this.#execute(thread, claimed.started);
    return 'slot';
  }

  /** A thread whose records cannot be read is reported, and holds up no other. */
  async #isolated<Result>(thread: ThreadKey, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#ports.log.error({ thread, error }, 'a thread could not be worked on');
      return undefined;
    }
  }

  /** As `#isolated`; what the store has no room for now is tried again by each sweep. */
  async #untilTaken(name: string, thread: ThreadKey, work: Refused['work']): Promise<void> {
    await this.#isolated(thread, async () => {
      try {
        await work();
      } catch (error) {
        if (isRefusal(error)) this.#refused.set(name, { thread, work });
        throw error;
      }
    });
  }

  #offer(): LaneClaim {
    return { token: this.#ports.ids.next('clm'), owner: this.#owner };
  }

  /** Takes a request in, and starts its run at once where its thread and a slot are free. */
  accept(thread: ThreadKey, command: Asking<'accept'> | Asking<'redrive'>): Promise<Outcomes['accept']> {
    if (this.#mode !== 'running') throw new Fault('shutting-down', 'the gateway is not taking requests');
    const accept = async (): Promise<Outcomes['accept']> => {
      const waitsInAll = this.#ports.store.waiting();
      const offer = this.#slots.tryTake() ? this.#offer() : undefined;
      let started: Started | undefined;
      try {
        const accepted = await this.turn<'accept' | 'redrive'>(thread, { ...command, waitsInAll, offer });
        started = accepted.started;
        return accepted;
      } finally {
        if (started !== undefined) this.#execute(thread, started);
        else if (offer !== undefined) this.#slots.give();
      }
    };
    return this.#tracked(accept());
  }

  /** One turn of the rules on one thread; what follows from the new lane is set going. */
  async turn<Type extends CommandType>(thread: ThreadKey, command: Command<Type>): Promise<Outcomes[Type]> {
    const { store, limits } = this.#ports;
    let after: Lane | undefined;
    try {
      const outcome = await store.update(thread, (lane, found, nowMs) => {
        const decided = step(limits, lane, found, command, nowMs, thread);
        after = decided.writes[0]?.op === 'drop' ? undefined : decided.lane;
        return decided;
      });
      this.#ports.onLane(thread, after);
      if (after === undefined) this.#attempts.get(threadName(thread))?.observe(undefined);
      else this.#observe(thread, after);
      return outcome;
    } catch (error) {
      const why = Fault.from(error);
      if (why.code === 'store-failed') for (const attempt of this.#attempts.values()) attempt.breakOff(why);
      if (isRefusal(why)) this.#writes();
      throw error;
    }
  }

  /** Whether the store writes. Whoever runs the gateway is told when it no longer does, and why, and when it does again. */
  #writes(): boolean {
    const { store, log } = this.#ports;
    const health = store.health();
    const writes = health.is === 'open';
    if (writes !== this.#wrote) {
      this.#wrote = writes;
      if (health.is === 'open') log.info({}, 'the store writes again');
      else log.error({ error: health.why }, 'the store does not write');
    }
    return writes;
  }

  #observe(thread: ThreadKey, lane: Lane): void {
    this.#attempts.get(threadName(thread))?.observe(lane);
    if (this.#mode !== 'running') return;
    const wake = wakeAtMs(lane);
    if (wake !== undefined) this.#timer.arm(wake);
    if (lane.open?.phase.is === 'ending') {
      void this.#tracked(this.#untilTaken(`end of ${threadName(thread)}`, thread, () => this.#finish(thread)));
    }
    const next = nextDispatch(lane);
    if (next !== undefined && next.availableAtMs <= lane.lastMs) {
      this.#starved = true;
      this.#lookForWork();
    }
  }

  #tracked<Result>(work: Promise<Result>): Promise<Result> {
    const over = (): void => {
      this.#underWay.delete(tracked);
    };
    const tracked = work.then(over, over);
    this.#underWay.add(tracked);
    return work;
  }

  #execute(thread: ThreadKey, started: Started): void {
    const executed = this.#attemptRun(thread, started).catch((error: unknown) => {
      const { runId, token } = started;
      const release = (): Promise<object> => this.turn(thread, { type: 'release', token });
      if (isRefusal(error)) this.#refused.set(`release of ${token}`, { thread, work: release });
      this.#ports.log.error({ thread, runId, error }, 'an attempt could not be settled');
    });
    void this.#tracked(executed);
  }

  async #attemptRun(thread: ThreadKey, started: Started): Promise<void> {
    const key = threadName(thread);
    let ended: Ended;
    let attempt: Attempt | undefined;
    let state: Json = started.fresh?.state ?? {};
    try {
      const { agents, store } = this.#ports;
      const agent = agents.find(started.agentId);
      if (agent === undefined) throw new Fault('agent-not-found', `no agent has the id ${started.agentId}`);
      const { attachmentId, ...brief } = await readBrief(store, thread, started);
      const client = (): Attachment | undefined =>
        attachmentId === undefined ? undefined : this.#ports.attachment(thread, brief.activated.actor, attachmentId);
      state = brief.activated.state;
      const turn = this.turn.bind(this);
      attempt = new Attempt({ thread, started, ...brief, client }, agent, { ...this.#ports, slots: this.#slots, turn });
      this.#attempts.set(key, attempt);
      if (this.#mode === 'stopped') this.#tellOfStop(attempt);
      // What happened to the run before there was anybody to be told.
      attempt.observe(await store.findLane(thread));
      ended = await attempt.run();
    } catch (error) {
      ended = { is: 'failed', fault: Fault.from(error) };
    } finally {
      if (this.#attempts.get(key) === attempt) this.#attempts.delete(key);
    }
    await this.#settle(thread, started, { ended, attempt, state });
  }

  async #settle(
    thread: ThreadKey,
    started: Started,
    end: { readonly ended: Ended; readonly attempt: Attempt | undefined; readonly state: Json },
  ): Promise<void> {
    const { ended, attempt, state } = end;
    const { token, runId } = started;
    const holdsSlot = attempt?.holdsSlot ?? true;
    let next: Started | undefined;
    try {
      const lane = await this.#ports.store.findLane(thread);
      const phase = lane?.open?.phase;
      if (lane === undefined || phase === undefined || !('claim' in phase) || phase.claim.token !== token) return;
      const isWhole = attempt?.isWhole === true;
      if (ended.is === 'aborted' && (phase.is !== 'stopping' || !isWhole)) {
        await this.turn(thread, { type: 'release', token });
        if (this.#mode === 'stopped') await this.#finish(thread);
        return;
      }
      if (ended.is === 'failed') this.#logFailure(thread, started, ended.fault);
      const ending = endingOf(ended);
      // Whose change of the thread came last, the log says.
      const isAlone = isWhole && lane.open?.patched === undefined;
      const written = attempt !== undefined && isAlone ? attempt.written(state, lane.head) : await this.#gather(lane);
      const ids = { runId: this.#ports.ids.next('run') };
      const offer = this.#mode === 'running' && holdsSlot ? this.#offer() : undefined;
      const settled = await this.turn(thread, { type: 'settle', token, runId, ending, written, ids, offer });
      next = settled.started;
    } finally {
      if (next !== undefined) this.#execute(thread, next);
      else if (holdsSlot) this.#slots.give();
    }
  }

  #logFailure(thread: ThreadKey, started: Started, fault: Fault): void {
    const { runId, attempt, agentId } = started;
    const fields = { thread, runId, attempt, agentId, code: fault.code, error: fault.cause ?? fault.message };
    this.#ports.log.warn(fields, 'an attempt failed');
  }

  /** Ends a run whose outcome is decided and which nobody holds. */
  async #finish(thread: ThreadKey): Promise<void> {
    const lane = await this.#ports.store.findLane(thread);
    if (lane?.open?.phase.is !== 'ending') return;
    const written = await this.#gather(lane);
    const ids = { runId: this.#ports.ids.next('run') };
    await this.turn(thread, { type: 'finish', runId: lane.open.runId, written, ids, offer: undefined });
  }

  /** What the open run wrote, by its log: for whoever ends it without the attempt that did. */
  async #gather({ scope, threadId, head, open }: Lane): Promise<Written> {
    if (open === undefined) throw new Fault('internal', 'there is no open run');
    const { store } = this.#ports;
    const thread = { scope, threadId };
    const view = await loadView(store, thread, { id: open.runId, firstSeq: open.firstSeq }, { seq: head });
    const state = (await store.findRecord(thread, 'thread', ''))?.state ?? {};
    return writtenOf(view, open.agentId, state);
  }
}

/** Whether the store, as it is now, takes no writes at all. */
function isRefusal(error: unknown): boolean {
  const { code } = Fault.from(error);
  return code === 'store-failed' || code === 'disk-low';
}

/** Aborted, it was told to stop: what the lane decided then stands, whatever is said here. */
function endingOf(ended: Ended): Command<'settle'>['ending'] {
  switch (ended.is) {
    case 'turn-ended':
      return ended.ending;
    case 'failed':
      return { type: 'failed', fault: ended.fault.toRecord() };
    case 'aborted':
      return { type: 'completed', stop: 'end_turn' };
  }
}
