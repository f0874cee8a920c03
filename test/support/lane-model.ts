import type { Activation } from '../../schemas/activation.ts';
import type { FaultCode } from '../../schemas/fault.ts';
import { textOf } from '../../schemas/part.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Answer } from '../../schemas/ticket.ts';
import { foldEvent, type RunView, emptyView } from '../../src/events/view.ts';
import { Fault } from '../../src/fault.ts';
import type { Command, CommandType, Outcomes, Started } from '../../src/lane/command.ts';
import { claimOf, type Lane, nextDispatch, wakeAtMs } from '../../src/lane/lane.ts';
import type { LaneDriver } from './lane-driver.ts';
import { LanePlaces } from './lane-places.ts';
import { LaneWebhooks } from './lane-webhooks.ts';

interface KnownRun {
  state: 'created' | 'open' | 'done';
  attempt: number;
  retries: number;
  readonly view: RunView;
}

/**
 * Watches a lane from outside: a small model of its own of what waits and in which order, and the invariants of a thread
 * as they can be seen in lane, log and records after every step. It throws at the first one that does not hold.
 */
export class LaneModel {
  readonly driver: LaneDriver;
  /** How many commands were tried. */
  steps = 0;
  /** Commands that may be repeated at any later time without an effect. */
  readonly repeatable: Command[] = [];
  /** Every token that was ever given. */
  readonly tokens: string[] = [];
  readonly webhooks: LaneWebhooks;
  readonly #places: LanePlaces;
  readonly #runs = new Map<string, KnownRun>();
  readonly #tickets = new Map<string, 'open' | 'closed'>();
  readonly #answers = new Map<string, string[]>();
  readonly #activations = new Map<string, Activation>();
  readonly #results = new Set<string>();
  /** How often each effect was begun, by its journal’s id, and its result once it has one. */
  readonly #effects = new Map<string, { starts: number; result?: string }>();
  /** Who brought in each text, while it counts. */
  readonly #texts = new Map<string, Set<string>>();
  #open: string | undefined;
  #token: string | undefined;
  #seen = 0;
  #atMs = 0;
  #lastMs = 0;

  constructor(driver: LaneDriver) {
    this.driver = driver;
    this.#places = new LanePlaces((id) => driver.get('request', id));
    this.webhooks = new LaneWebhooks(driver);
  }

  /** Does a command, watches what came of it, and does it again to see that nothing more does. */
  perform<Type extends CommandType>(command: Command<Type>): Outcomes[Type] | FaultCode {
    const { driver } = this;
    this.steps += 1;
    const before = driver.lane;
    const head = driver.log.length;
    let outcome: Outcomes[Type];
    try {
      outcome = driver.do(command);
    } catch (error) {
      if (!(error instanceof Fault) || error.code === 'internal') throw error;
      expectTrue(driver.lane === before && driver.log.length === head, `a refused ${command.type} changed something`);
      return error.code;
    }
    this.#noteAnswers(command as Command);
    this.#watch(command as Command, before, outcome);
    this.#repeatAtOnce(command, outcome);
    if (driver.lane !== before) this.#keep(command as Command);
    return outcome;
  }

  /** Something that its holder appended. */
  appended(): void {
    this.steps += 1;
    this.#watch(undefined, undefined, undefined);
  }

  /** Does an earlier command again, much later. */
  repeat(command: Command): void {
    this.steps += 1;
    const decided = this.#tryOnly(command);
    if (decided === undefined) return;
    expectTrue(decided.writes.length === 0, `a repeated ${command.type} wrote ${JSON.stringify(decided.writes[0])}`);
    expectTrue(decided.lane === this.driver.lane, `a repeated ${command.type} changed the lane`);
  }

  /** Claims, settles, finishes and lets time pass until nothing is left to do; then every accepted run must be done. */
  quiesce(): void {
    const { driver } = this;
    for (let round = 0; ; round++) {
      const { lane } = driver;
      if (lane === undefined || (lane.open === undefined && lane.queue.length === 0)) break;
      expectTrue(round < 1_000, `nothing moves any more: ${JSON.stringify(lane.open)}`);
      const phase = lane.open?.phase;
      driver.nowMs = Math.max(driver.nowMs, lane.lastMs) + 60_000;
      if (phase === undefined || phase.is === 'ready') this.perform({ type: 'claim', offer: driver.offer() });
      else if (phase.is === 'ending') this.perform(this.finishing());
      else if ('claim' in phase) this.perform(driver.settlement(phase.claim.token));
      else {
        driver.nowMs += driver.rules.ticketTtlMs;
        this.perform({ type: 'tick' });
      }
    }
    this.#drainWebhooks();
    this.#checkEnd();
  }

  /** Every subscription that is not given up is delivered to its end. */
  #drainWebhooks(): void {
    const { driver } = this;
    for (const { id, claim } of driver.lane?.subscriptions ?? []) {
      driver.nowMs = Math.max(driver.nowMs, driver.lane?.lastMs ?? 0) + driver.rules.push.backoffCapMs;
      const fresh = driver.offer();
      this.perform({ type: 'claimPush', id, claim: fresh, over: claim?.token });
      for (const { seq } of this.webhooks.wantedBy(id)) {
        this.webhooks.accept(id, seq);
        this.perform({ type: 'pushed', id, token: fresh.token, upTo: seq });
      }
    }
    expectTrue(driver.lane?.subscriptions === undefined, 'a subscription outlives what it is for');
  }

  finishing(): Command<'finish'> {
    const { ids, offer, written, runId } = this.driver.settlement('');
    return { type: 'finish', ids, offer, written, runId };
  }

  /** Says which texts a request brought in; `edit` gives it others. */
  brought(id: string, texts: readonly string[]): void {
    for (const ids of this.#texts.values()) ids.delete(id);
    for (const text of texts) this.#texts.set(text, (this.#texts.get(text) ?? new Set()).add(id));
  }

  // ── repetition ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #tryOnly<Type extends CommandType>(command: Command<Type>): ReturnType<LaneDriver['decideOnly']> | undefined {
    try {
      return this.driver.decideOnly(command);
    } catch (error) {
      expectTrue(
        error instanceof Fault && error.code !== 'internal',
        `a repeated ${command.type} threw ${String(error)}`,
      );
      return undefined;
    }
  }

  #repeatAtOnce<Type extends CommandType>(command: Command<Type>, outcome: Outcomes[Type]): void {
    const again = this.#tryOnly(command);
    if (again === undefined) {
      // Its token is the id of a settlement or a failure, and gone with the claim that it gave back.
      const endsClaim = command.type === 'settle' || command.type === 'pushFailed';
      const gaveBack = endsClaim && 'is' in outcome && outcome.is !== 'done';
      expectTrue(gaveBack, `${command.type} is refused when repeated`);
      return;
    }
    expectTrue(again.writes.length === 0, `${command.type} repeated at once wrote ${JSON.stringify(again.writes)}`);
    expectTrue(again.lane === this.driver.lane, `${command.type} repeated at once changed the lane`);
    const told = JSON.stringify(comparable(command.type, again.outcome));
    const first = JSON.stringify(comparable(command.type, outcome));
    expectTrue(told === first, `${command.type} repeated says ${told} after ${first}`);
  }

  #keep(command: Command): void {
    switch (command.type) {
      case 'accept':
      case 'redrive':
      case 'discard':
      case 'ask':
      case 'once':
      case 'endOnce':
      case 'takeInput':
      case 'settle':
      case 'release':
      case 'lost':
      case 'finish':
      case 'decide':
      case 'withdraw':
      case 'retract':
      case 'edit':
      case 'pushed':
      case 'pushFailed':
        this.repeatable.push(command);
        return;
      case 'cancel':
        if (command.target !== 'thread') this.repeatable.push(command);
        return;
      case 'claim':
      case 'checkpoint':
      case 'wait':
      case 'resume':
      case 'interrupt':
      case 'reorder':
      case 'create':
      case 'patch':
      case 'remove':
      case 'subscribe':
      case 'unsubscribe':
      case 'claimPush':
      case 'tick':
    }
  }

  #noteAnswers(command: Command): void {
    const answers = command.type === 'accept' ? command.decisions : command.type === 'decide' ? [command.decision] : [];
    for (const { ticketId, answer } of answers) {
      this.#answers.set(ticketId, [...(this.#answers.get(ticketId) ?? []), JSON.stringify(answer)]);
    }
  }

  // ── what came of a command ──────────────────────────────────────────────────────────────────────────────────────────

  #watch(command: Command | undefined, before: Lane | undefined, outcome: Outcomes[CommandType] | undefined): void {
    const { log, lane } = this.driver;
    if (lane === undefined) return;
    const held = [before === undefined ? undefined : claimOf(before)?.token, claimOf(lane)?.token];
    const fresh = log.slice(this.#seen);
    for (const event of fresh) {
      expectTrue(event.seq === this.#seen + 1, `number ${event.seq} follows ${this.#seen}`);
      this.#seen = event.seq;
      expectTrue(event.atMs >= this.#atMs, `time goes back at ${event.seq}`);
      this.#atMs = event.atMs;
      if (event.token !== undefined) this.#checkToken(event, command === undefined ? [event.token] : held);
      this.#follow(event, command);
    }
    this.#places.settle(command);
    if (command !== undefined) this.webhooks.follow(command, outcome, lane);
    if (command !== undefined && outcome !== undefined) this.#checkOffer(command, outcome, fresh.length > 0);
    if (command?.type === 'release') this.#checkRelease(before);
    if (command?.type === 'tick') this.#checkTick();
    if (command?.type === 'once' && outcome !== undefined && 'is' in outcome) this.#checkEffect(command, outcome.is);
    this.webhooks.check(lane);
    this.#checkLane(lane);
    this.#checkRecords(lane);
    this.#checkMessages(lane);
  }

  #checkToken(event: RunEvent, held: readonly (string | undefined)[]): void {
    const { token } = event;
    expectTrue(held.includes(token), `${event.type} ${event.seq} carries ${token}, which held nothing then`);
    if (token === this.#token || token === undefined) return;
    expectTrue(!this.tokens.slice(0, -1).includes(token), `${token} comes back at ${event.seq}`);
    const known = this.#runs.get(event.runId ?? '');
    expectTrue((event.attempt ?? 0) > (known?.attempt ?? 0), `another token in the same attempt at ${event.seq}`);
    this.#token = token;
  }

  #follow(event: RunEvent, command: Command | undefined): void {
    const { runId } = event;
    if (runId !== undefined) this.#followRun(event, runId);
    this.#places.follow(event, command, this.#open);
    if (event.type === 'run.started') {
      expectTrue(this.#open === undefined, `${runId} starts while ${this.#open} is open`);
      this.#open = runId;
    } else if (event.type === 'run.finished') {
      if (this.#open === runId) this.#open = undefined;
    } else if (event.type === 'ticket.opened') {
      expectTrue(!this.#tickets.has(event.ticket.id), `${event.ticket.id} is opened twice`);
      this.#tickets.set(event.ticket.id, 'open');
    } else if (event.type === 'ticket.closed') {
      expectTrue(this.#tickets.get(event.ticketId) === 'open', `${event.ticketId} is closed twice`);
      this.#tickets.set(event.ticketId, 'closed');
    } else if (event.type === 'tool.result') {
      expectTrue(!this.#results.has(event.id), `the call ${event.id} has two results`);
      this.#results.add(event.id);
    }
  }

  #followRun(event: RunEvent, runId: string): void {
    const run = this.#runs.get(runId) ?? { state: 'created', attempt: 0, retries: 0, view: emptyView(runId) };
    this.#runs.set(runId, run);
    expectTrue(run.state !== 'done', `${event.type} of ${runId} follows its end`);
    expectTrue((event.attempt ?? 0) >= run.attempt, `the attempts of ${runId} go back at ${event.seq}`);
    run.attempt = event.attempt ?? 0;
    if (event.type === 'run.started') run.state = 'open';
    if (event.type === 'run.finished') run.state = 'done';
    if (event.type === 'run.retrying' && event.fault !== undefined) run.retries += 1;
    expectTrue(run.retries < this.driver.rules.maxAttempts, `${runId} is retried too often`);
    foldEvent(run.view, event);
  }

  /** Who offers to execute and gets nothing has left nothing behind that could be. */
  #checkOffer(command: Command, outcome: Outcomes[CommandType], didSomething: boolean): void {
    if (!('offer' in command) || command.offer === undefined) return;
    const started: Started | undefined = 'started' in outcome ? outcome.started : undefined;
    if (started !== undefined) {
      if (!this.tokens.includes(started.token)) this.tokens.push(started.token);
      return;
    }
    const next = this.driver.lane === undefined ? undefined : nextDispatch(this.driver.lane);
    const isLeft =
      next !== undefined && next.availableAtMs <= Math.max(this.driver.nowMs, this.driver.lane?.lastMs ?? 0);
    const mayClaim = didSomething || command.type === 'claim';
    expectTrue(!isLeft || !mayClaim, `${command.type} leaves something to claim`);
  }

  #checkRelease(before: Lane | undefined): void {
    const { open } = this.driver.lane ?? {};
    if (open === undefined || before?.open?.runId !== open.runId) return;
    const { failures, interruptions } = before.open;
    expectTrue(open.failures === failures && open.interruptions === interruptions, 'a release costs something');
  }

  /** An effect begins once, and once more for each resolution to repeat it; what it resulted in stays. */
  #checkEffect(command: Command<'once'>, is: string): void {
    const { open } = this.driver.lane ?? {};
    const id = `${open?.runId}/${open?.turn}/${command.key}`;
    const { entry } = this.driver.get('journal', id);
    expectTrue(entry.is === 'started' || entry.is === 'finished', `${id} is no effect`);
    if (!('starts' in entry)) return;
    const known = this.#effects.get(id) ?? { starts: 0 };
    const isNew = entry.starts > known.starts;
    expectTrue(entry.starts <= known.starts + 1, `${id} has begun ${entry.starts} times`);
    expectTrue(!isNew || known.starts === 0 || command.repeat, `${id} began again, and nobody said so`);
    expectTrue(!isNew || is === 'started', `${id} began, and is said to be ${is}`);
    const result = entry.is === 'finished' ? JSON.stringify(entry.result) : undefined;
    expectTrue(known.result === undefined || known.result === result, `${id} has two results`);
    this.#effects.set(id, { starts: entry.starts, ...(result === undefined ? {} : { result }) });
  }

  #checkTick(): void {
    const { lane, nowMs } = this.driver;
    if (lane === undefined) return;
    const wake = wakeAtMs(lane);
    expectTrue(wake === undefined || wake > Math.max(nowMs, lane.lastMs), `after a tick it wakes at ${wake}`);
  }

  // ── what holds after every step ─────────────────────────────────────────────────────────────────────────────────────

  #checkLane(lane: Lane): void {
    const { rules, log } = this.driver;
    expectTrue(lane.head === log.length, `the head is ${lane.head}, the log has ${log.length}`);
    expectTrue(lane.lastMs >= this.#lastMs && lane.lastMs >= this.#atMs, 'the time of the lane goes back');
    this.#lastMs = lane.lastMs;
    expectTrue(lane.open?.runId === this.#open, `${lane.open?.runId} is open, not ${this.#open}`);
    const waits = lane.queue.reduce((sum, run) => sum + run.activations.length, lane.inputs.length);
    expectTrue(waits <= rules.queuePerThread, `${waits} requests wait`);
    this.#places.check(lane);
    if (lane.open === undefined) {
      expectTrue(lane.inputs.length === 0, 'input is pending without a run');
      return;
    }
    const { failures, interruptions, tickets, phase, boundarySeq, firstSeq } = lane.open;
    expectTrue(failures <= rules.maxAttempts, `${failures} failures`);
    expectTrue(interruptions <= rules.maxInterruptions, `${interruptions} interruptions`);
    expectTrue(firstSeq <= boundarySeq && boundarySeq <= lane.head, `the boundary ${boundarySeq} is not in the run`);
    expectTrue(tickets.length > 0 || (phase.is !== 'parked' && phase.is !== 'waiting'), 'the run waits for nobody');
    expectTrue(
      wakeAtMs(lane) === this.#earliest(lane),
      `it wakes at ${wakeAtMs(lane)}, not at ${this.#earliest(lane)}`,
    );
  }

  /** When the earliest thing is due, from records and log. */
  #earliest(lane: Lane): number | undefined {
    const { open } = lane;
    const { rules, log } = this.driver;
    if (open === undefined) return undefined;
    const times = this.webhooks.retriesAtMs.filter((at) => at > lane.lastMs);
    const last = (type: RunEvent['type']): RunEvent | undefined =>
      log.findLast((event) => event.runId === open.runId && event.type === type);
    if (open.phase.is === 'stopping') times.push((last('run.stopping')?.atMs ?? 0) + rules.graceMs);
    else if (open.phase.is !== 'ending') {
      for (const ticket of this.driver.all('ticket')) if (ticket.closed === undefined) times.push(ticket.expiresAtMs);
    }
    if (open.phase.is === 'waiting' && open.phase.parkAtMs !== undefined) times.push(open.phase.parkAtMs);
    const retrying = last('run.retrying');
    if (open.phase.is === 'ready' && retrying?.type === 'run.retrying' && retrying.attempt === open.attempt) {
      if (retrying.retryAtMs > lane.lastMs) times.push(open.phase.availableAtMs);
    }
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #checkRecords(lane: Lane): void {
    const { driver } = this;
    const openTickets = lane.open?.tickets.map((ticket) => ticket.id).toSorted();
    const unclosed = driver.all('ticket').filter((ticket) => ticket.closed === undefined);
    expectTrue(
      String(unclosed.map((one) => one.id).toSorted()) === String(openTickets ?? []),
      'tickets and lane differ',
    );
    for (const ticket of driver.all('ticket')) {
      expectTrue(
        this.#tickets.get(ticket.id) === (ticket.closed === undefined ? 'open' : 'closed'),
        `${ticket.id} and its events differ`,
      );
      if (ticket.closed?.decision.how === 'answered') this.#checkAnswer(ticket.id, ticket.closed.decision.answer);
      if (ticket.mayDecide === 'person') expectTrue(ticket.closed?.actor !== 'robot', `an agent decided ${ticket.id}`);
    }
    for (const run of driver.all('run')) {
      const state = this.#runs.get(run.id)?.state ?? 'created';
      const isDone = run.status === 'done';
      expectTrue(isDone === (state === 'done'), `${run.id} is ${run.status}, its log ${state}`);
      expectTrue(isDone === (run.outcome !== undefined && run.deliveries.length === 1), `${run.id} has no end`);
      const isWaiting = lane.open?.runId === run.id && ['waiting', 'parked'].includes(lane.open.phase.is);
      if (isWaiting) expectTrue(run.status === 'waiting', `${run.id} waits and says ${run.status}`);
      if (lane.open?.runId === run.id && lane.open.phase.is === 'running') {
        expectTrue(
          run.status === 'running' && run.attempt === lane.open.attempt,
          `${run.id} runs and says ${run.status}`,
        );
      }
    }
    for (const activation of driver.all('activation')) this.#checkActivation(activation, lane);
  }

  /** Only what somebody answered is an answer. */
  #checkAnswer(ticketId: string, answer: Answer): void {
    expectTrue(
      this.#answers.get(ticketId)?.includes(JSON.stringify(answer)) === true,
      `nobody gave the answer of ${ticketId}`,
    );
  }

  #checkActivation(activation: Activation, lane: Lane): void {
    const { id, state } = activation;
    const known = this.#activations.get(id);
    if (known?.state.is === 'answered' || known?.state.is === 'retracted') {
      expectTrue(JSON.stringify(known.state) === JSON.stringify(state), `${id} was over and changed`);
    }
    if (known !== undefined) expectTrue(known.digest === activation.digest, `${id} names two requests`);
    this.#activations.set(id, activation);
    const inQueue = lane.queue.some((run) => run.activations.some((one) => one.id === id));
    const inInput = lane.inputs.some((input) => input.id === id);
    const inOpen = lane.open?.activations.some((one) => one.id === id) === true;
    expectTrue(inQueue === (state.is === 'queued'), `${id} is ${state.is}, in the queue: ${inQueue}`);
    expectTrue(inInput === (state.is === 'pending'), `${id} is ${state.is}, pending: ${inInput}`);
    expectTrue(inOpen === (state.is === 'attached'), `${id} is ${state.is}, in the open run: ${inOpen}`);
    if (state.is === 'answered') {
      expectTrue(
        state.fromSeq <= state.toSeq && state.toSeq <= lane.head,
        `${id} is answered by ${state.fromSeq}…${state.toSeq}`,
      );
    }
  }

  #checkMessages(lane: Lane): void {
    const messages = this.driver.all('message');
    expectTrue(lane.messages === messages.length, `${messages.length} messages, counted ${lane.messages}`);
    expectTrue(new Set(messages.map((message) => message.seq)).size === messages.length, 'two messages have one place');
    const texts = new Set<string>();
    for (const { id, role, parts, parentId, runId } of messages) {
      expectTrue(
        parentId === undefined || this.driver.find('message', parentId) !== undefined,
        `${id} hangs on nothing`,
      );
      // What a dead run took in is said again by the one that is made of it.
      if (role !== 'user' || this.driver.find('run', runId ?? '')?.retryOf !== undefined) continue;
      const text = textOf(parts);
      expectTrue(!texts.has(text), `“${text}” is in the thread twice`);
      texts.add(text);
    }
    this.driver.history();
  }

  #checkEnd(): void {
    const { driver } = this;
    for (const run of driver.all('run')) expectTrue(run.status === 'done', `${run.id} never ends`);
    const texts = new Set(driver.all('message').map((message) => textOf(message.parts)));
    for (const [text, ids] of this.#texts) {
      const isTaken = [...ids].some((id) => this.#wasTaken(id));
      if (ids.size > 0)
        expectTrue(texts.has(text) === isTaken, `“${text}” of ${[...ids].join(', ')} is lost, or came from nowhere`);
    }
    for (const { id, state } of driver.all('activation')) {
      expectTrue(state.is === 'answered' || state.is === 'retracted', `${id} is ${state.is} for ever`);
    }
  }

  #wasTaken(id: string): boolean {
    const { state } = this.driver.get('activation', id);
    return state.is === 'answered' && this.driver.get('run', state.runId).firstSeq !== undefined;
  }
}

/** Of an outcome, what a repetition must say again. */
function comparable(type: CommandType, outcome: unknown): unknown {
  // They say what they find, which after the first time is stopped.
  if (type === 'cancel' || type === 'interrupt') return undefined;
  if (type === 'accept' || type === 'redrive') {
    const { activation, started } = outcome as Outcomes['accept'];
    return [activation, withoutFresh(started)];
  }
  if (type === 'decide') return (outcome as Outcomes['decide']).ticket;
  const { started, ...rest } = outcome as Outcomes['settle'];
  return [rest, withoutFresh(started)];
}

function withoutFresh(started: Started | undefined): Omit<Started, 'fresh'> | undefined {
  if (started === undefined) return undefined;
  const { fresh: _, ...rest } = started;
  return rest;
}

function expectTrue(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
