import { isDeepStrictEqual } from 'node:util';
import type { Activation, ActivationRequest } from '../../schemas/activation.ts';
import type { Scope, ThreadKey } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import { textOf } from '../../schemas/part.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Standing } from '../../schemas/standing.ts';
import type { SubscriptionRecord } from '../../schemas/subscription.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { emptyView, foldEvent, messagesOf } from '../../src/events/view.ts';
import { subscriptionKey } from '../../src/lane/filing.ts';
import type { Lane } from '../../src/lane/lane.ts';
import type { RecordKind, Records } from '../../src/lane/records.ts';
import { standingKey, standingOf } from '../../src/lane/standing.ts';
import { activationId, type Store } from '../../src/mailbox/store.ts';
import { checkTranscript, type Transcript } from './transcript.ts';

export type { Transcript } from './transcript.ts';

/** What the checker reads of a store. */
export type StoreReader = Pick<Store, 'findLane' | 'listRecords' | 'readEvents' | 'listThreads'>;

/** One thread at rest, as it was read. */
interface Facts {
  readonly lane: Lane;
  readonly events: readonly RunEvent[];
  readonly runs: ReadonlyMap<string, Run>;
  readonly activations: ReadonlyMap<string, Activation>;
  readonly requests: ReadonlyMap<string, ActivationRequest>;
  readonly messages: ReadonlyMap<string, Message>;
  readonly tickets: ReadonlyMap<string, Ticket>;
  /** By the ids of their records. */
  readonly standings: ReadonlyMap<string, Standing>;
  readonly subscriptions: ReadonlyMap<string, SubscriptionRecord>;
  /** The number of the first event that is kept; what is older was evicted. */
  readonly firstKept: number;
}

type Report = (violation: string) => void;

const pageSize = 500;

/** Holds a whole store at rest, and what clients saw of it, against the invariants. Returns what breaks them. */
export async function checkStore(
  store: StoreReader,
  scopes: readonly Scope[],
  transcripts: readonly Transcript[] = [],
): Promise<string[]> {
  const violations: string[] = [];
  const known = new Map<string, Facts>();
  for (const scope of scopes) {
    for (const thread of await readThreads(store, scope)) {
      const name = `${thread.scope}/${thread.threadId}`;
      const report: Report = (violation) => violations.push(`${name}: ${violation}`);
      const facts = await readThread(store, thread);
      if (facts === undefined) {
        report('the thread has no lane');
        continue;
      }
      known.set(name, facts);
      checkThread(facts, report);
    }
  }
  for (const transcript of transcripts) {
    const { thread, door, key } = transcript;
    const name = `${thread.scope}/${thread.threadId}`;
    const report: Report = (violation) => violations.push(`${name}, ${door}:${key}: ${violation}`);
    checkTranscript(transcript, known.get(name), report);
  }
  return violations;
}

// ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────

async function readThreads(store: StoreReader, scope: Scope): Promise<ThreadKey[]> {
  const threads: ThreadKey[] = [];
  for (;;) {
    const page = await store.listThreads(scope, threads.at(-1)?.threadId ?? '', pageSize);
    threads.push(...page);
    if (page.length < pageSize) return threads;
  }
}

async function readThread(store: StoreReader, thread: ThreadKey): Promise<Facts | undefined> {
  const lane = await store.findLane(thread);
  if (lane === undefined) return undefined;
  const events: RunEvent[] = [];
  // A page that begins where events are evicted may be short, and not be the last.
  for (let page: readonly RunEvent[] | undefined; page?.length !== 0;) {
    page = await store.readEvents(thread, events.at(-1)?.seq ?? 0, pageSize);
    events.push(...page);
  }
  return {
    lane,
    events,
    runs: await readRecords(store, thread, 'run', (run) => run.id),
    activations: await readRecords(store, thread, 'activation', (activation) => activation.id),
    requests: await readRecords(store, thread, 'request', ({ door, key }) => activationId(door, key)),
    messages: await readRecords(store, thread, 'message', (message) => message.id),
    tickets: await readRecords(store, thread, 'ticket', (ticket) => ticket.id),
    standings: await readRecords(store, thread, 'standing', standingKey),
    subscriptions: await readRecords(store, thread, 'subscription', subscriptionKey),
    firstKept: events[0]?.seq ?? lane.head + 1,
  };
}

async function readRecords<Kind extends RecordKind>(
  store: StoreReader,
  thread: ThreadKey,
  kind: Kind,
  idOf: (record: Records[Kind]) => string,
): Promise<Map<string, Records[Kind]>> {
  const records = new Map<string, Records[Kind]>();
  for (let after = ''; ;) {
    const page = await store.listRecords(thread, kind, after, pageSize);
    for (const record of page) records.set(idOf(record), record);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return records;
    after = idOf(last);
  }
}

// ── one thread ────────────────────────────────────────────────────────────────────────────────────────────────────────

function checkThread(facts: Facts, report: Report): void {
  checkNumbers(facts, report);
  checkIntervals(facts, report);
  checkTokens(facts, report);
  for (const run of facts.runs.values()) checkRun(facts, run, report);
  checkLane(facts, report);
  checkTickets(facts, report);
  for (const activation of facts.activations.values()) checkActivation(facts, activation, report);
  checkMessages(facts, report);
  checkSubscriptions(facts, report);
  checkStandings(facts, report);
}

/** Each run is listed as it stands, and in no other way. */
function checkStandings({ runs, standings }: Facts, report: Report): void {
  const right = [...runs.values()].flatMap((run) => standingOf(run) ?? []);
  for (const one of right) {
    const listed = standings.get(standingKey(one));
    if (!isDeepStrictEqual(listed, one)) report(`run ${one.runId} is not listed as it stands`);
  }
  if (standings.size > right.length) report('a run is listed as it stood');
}

/** What is active is in the lane, with all that it has still to deliver in the log; what is not is not. */
function checkSubscriptions({ lane, runs, subscriptions, firstKept }: Facts, report: Report): void {
  const moving = lane.subscriptions ?? [];
  for (const { id, runId, cursor, claim, wakeAtMs } of moving) {
    const run = runs.get(runId);
    const record = subscriptions.get(id);
    if (record?.state.is !== 'active') report(`subscription ${id} is in the lane, its record not active`);
    if (record?.runId !== runId || run === undefined)
      report(`subscription ${id} follows ${runId}, which is not its run`);
    if (cursor > lane.head) report(`subscription ${id} is at ${cursor}, beyond the log`);
    if (cursor < firstKept - 1) report(`what subscription ${id} has not delivered was evicted`);
    if (run?.status === 'done' && cursor >= (run.lastSeq ?? 0)) report(`subscription ${id} has outlived its run`);
    if (claim !== undefined && wakeAtMs !== undefined) report(`subscription ${id} is followed, and waits`);
  }
  for (const [key, { id, threadId, scope, state }] of subscriptions) {
    if (threadId !== lane.threadId || scope !== lane.scope) report(`subscription ${id} is of another thread`);
    if (state.is === 'active' && !moving.some((one) => one.id === key))
      report(`subscription ${id} is followed by nobody`);
    if (state.is === 'dead' && state.cursor > lane.head) report(`subscription ${id} was given up beyond the log`);
  }
}

/** Numbers have no gap, and time does not go back. */
function checkNumbers({ events, lane, firstKept }: Facts, report: Report): void {
  let atMs = 0;
  for (const [index, event] of events.entries()) {
    if (event.seq !== firstKept + index) report(`number ${event.seq} stands where ${firstKept + index} belongs`);
    if (event.atMs < atMs) report(`time goes back at ${event.seq}`);
    if (event.threadId !== lane.threadId) report(`event ${event.seq} is of another thread`);
    atMs = event.atMs;
  }
  const last = events.at(-1)?.seq ?? lane.head;
  if (last !== lane.head) report(`the log ends at ${last}, the lane says ${lane.head}`);
  if (lane.lastMs < atMs) report('the lane’s time is before its last event');
}

/** One run at a time, from its first claim to its end. */
function checkIntervals({ events, runs }: Facts, report: Report): void {
  let open: string | undefined;
  for (const { type, seq, runId } of events) {
    if (runId !== undefined && !runs.has(runId)) report(`event ${seq} is of a run ${runId} without a record`);
    if (type === 'run.started') {
      if (open !== undefined) report(`run ${runId} starts at ${seq} while ${open} is open`);
      open = runId;
    } else if (type === 'run.finished' && runId === open) open = undefined;
  }
}

/** A token belongs to one attempt of one run, and is never seen again once there is a newer one. */
function checkTokens({ events }: Facts, report: Report): void {
  const used = new Set<string>();
  let last: RunEvent | undefined;
  for (const event of events) {
    const { seq, token, runId, attempt } = event;
    if (token === undefined) continue;
    if (token === last?.token) {
      if (runId !== last.runId || attempt !== last.attempt) report(`one token for two attempts at ${seq}`);
    } else {
      if (used.has(token)) report(`an old token writes at ${seq}`);
      if (runId === last?.runId && (attempt ?? 0) <= (last?.attempt ?? 0))
        report(`two tokens for one attempt at ${seq}`);
    }
    used.add(token);
    last = event;
  }
}

function checkRun(facts: Facts, run: Run, report: Report): void {
  const { lane, firstKept } = facts;
  const events = facts.events.filter((event) => event.runId === run.id);
  const finished = events.filter((event) => event.type === 'run.finished');
  const [end] = finished;
  const isOpen = lane.open?.runId === run.id;
  const isQueued = lane.queue.some((one) => one.runId === run.id);
  if (run.status === 'done') {
    const isKept = (run.lastSeq ?? 0) >= firstKept;
    if (finished.length !== (isKept ? 1 : 0)) report(`run ${run.id} is done and has ${finished.length} run.finished`);
    if (end !== undefined && end !== events.at(-1)) report(`run ${run.id} goes on after its end`);
    if (end !== undefined && end.seq !== run.lastSeq)
      report(`run ${run.id} ends at ${end.seq}, its record says ${run.lastSeq}`);
    if (end !== undefined && !isDeepStrictEqual(end.outcome, run.outcome)) report(`run ${run.id} has two outcomes`);
    if (run.outcome === undefined || run.endedAtMs === undefined) report(`run ${run.id} is done without an outcome`);
    if (run.deliveries.length !== 1) report(`run ${run.id} was consumed ${run.deliveries.length} times`);
    if (isOpen || isQueued) report(`run ${run.id} is done and still in the lane`);
  } else {
    if (finished.length > 0) report(`run ${run.id} is ${run.status} and has a run.finished`);
    if (run.outcome !== undefined) report(`run ${run.id} is ${run.status} and has an outcome`);
    if (isOpen === isQueued) report(`run ${run.id} is ${run.status} and not in the lane`);
    if (isQueued !== (run.status === 'created'))
      report(`run ${run.id} is ${run.status} and ${isQueued ? '' : 'not '}queued`);
  }
  checkStart(facts, run, events, report);
  if ((run.firstSeq ?? 0) >= firstKept) checkView(facts, run, events, report);
}

function checkStart(
  { firstKept, activations, requests }: Facts,
  run: Run,
  events: readonly RunEvent[],
  report: Report,
): void {
  const started = events.filter((event) => event.type === 'run.started');
  const isKept = (run.firstSeq ?? 0) >= firstKept;
  if (started.length !== (isKept ? 1 : 0)) report(`run ${run.id} has ${started.length} run.started`);
  if (started[0] !== undefined && started[0].seq !== run.firstSeq) report(`run ${run.id} starts at ${started[0].seq}`);
  if (events.some((event) => (event.attempt ?? 0) > run.attempt))
    report(`run ${run.id} has more attempts than its record`);
  for (const id of run.activations) {
    if (!activations.has(id)) report(`run ${run.id} serves ${id}, which has no record`);
    if (!requests.has(id)) report(`${id} has no request`);
  }
}

/** Folding a run's events gives what its records say. */
function checkView({ messages }: Facts, run: Run, events: readonly RunEvent[], report: Report): void {
  const view = emptyView(run.id);
  try {
    for (const event of events) foldEvent(view, event);
  } catch (error) {
    report(`run ${run.id} does not fold: ${String(error)}`);
    return;
  }
  if (view.status !== run.status) report(`run ${run.id} is ${run.status}, its events say ${view.status}`);
  if (run.status !== 'done') return;
  if (view.tickets.size > 0) report(`run ${run.id} is done and asks ${[...view.tickets.keys()].join(', ')}`);
  for (const draft of messagesOf(view, run.agentId)) {
    const message = messages.get(draft.id);
    if (message === undefined) report(`run ${run.id} wrote ${draft.id}, which is not kept`);
    else if (message.runId === run.id && textOf(message.parts) !== textOf(draft.parts)) {
      report(`message ${draft.id} is not what run ${run.id} wrote`);
    }
  }
}

function checkLane({ lane, runs, tickets }: Facts, report: Report): void {
  for (const { runId } of lane.queue) if (!runs.has(runId)) report(`queued run ${runId} has no record`);
  const { open } = lane;
  const unclosed = [...tickets.values()].filter((ticket) => ticket.closed === undefined).map((ticket) => ticket.id);
  const asked = open?.tickets.map((ticket) => ticket.id) ?? [];
  if (!isDeepStrictEqual(unclosed.toSorted(), asked.toSorted())) {
    report(`tickets ${unclosed.join(', ') || 'none'} are open, the lane says ${asked.join(', ') || 'none'}`);
  }
  if (open === undefined) {
    if (lane.inputs.length > 0) report('input is pending without an open run');
    return;
  }
  if (!runs.has(open.runId)) report(`open run ${open.runId} has no record`);
  const isInRange = open.firstSeq <= open.boundarySeq && open.boundarySeq <= lane.head;
  if (!isInRange) report(`the boundary of run ${open.runId} is not in the log`);
}

/** Each ticket is opened and closed once, in its events as in its record. */
function checkTickets({ events, tickets, runs, firstKept }: Facts, report: Report): void {
  const opened = new Map<string, number>();
  const closed = new Map<string, RunEvent & { type: 'ticket.closed' }>();
  for (const event of events) {
    if (event.type === 'ticket.opened') {
      opened.set(event.ticket.id, (opened.get(event.ticket.id) ?? 0) + 1);
    } else if (event.type === 'ticket.closed') {
      if (closed.has(event.ticketId)) report(`ticket ${event.ticketId} is closed twice`);
      closed.set(event.ticketId, event);
    }
  }
  for (const id of [...opened.keys(), ...closed.keys()]) if (!tickets.has(id)) report(`ticket ${id} has no record`);
  for (const ticket of tickets.values()) {
    const { id, runId } = ticket;
    const run = runs.get(runId);
    if (run === undefined) report(`ticket ${id} is of a run ${runId} without a record`);
    const isKept = (run?.firstSeq ?? 0) >= firstKept;
    if (isKept && opened.get(id) !== 1) report(`ticket ${id} is opened ${opened.get(id) ?? 0} times`);
    if (isKept && closed.has(id) !== (ticket.closed !== undefined)) report(`ticket ${id} and its events differ`);
    if (run?.status === 'done' && ticket.closed === undefined) report(`ticket ${id} is open, its run done`);
    checkDecision(ticket, closed.get(id), report);
  }
}

function checkDecision(
  ticket: Ticket,
  event: (RunEvent & { type: 'ticket.closed' }) | undefined,
  report: Report,
): void {
  const { id, closed, secret } = ticket;
  if (closed === undefined) return;
  const { decision, actor, door } = closed;
  if (decision.how === 'answered' && (actor === undefined || door === undefined))
    report(`nobody answered ticket ${id}`);
  if (event === undefined) return;
  if (event.how !== decision.how) report(`ticket ${id} was ${decision.how}, its event says ${event.how}`);
  if (secret && event.decision !== undefined) report(`the secret of ticket ${id} is in the log`);
  if (!secret && !isDeepStrictEqual(event.decision, decision)) report(`ticket ${id} has two decisions`);
}

function checkActivation(facts: Facts, activation: Activation, report: Report): void {
  const { lane, runs, events, firstKept } = facts;
  const { id, state } = activation;
  if (id !== activationId(activation.door, activation.key)) report(`${id} is not ${activation.door}:${activation.key}`);
  const begins = 'fromSeq' in state ? state.fromSeq : lane.head + 1;
  if (activation.afterSeq >= begins)
    report(`${id} begins at ${begins}, and is to be followed after ${activation.afterSeq}`);
  const inQueue = lane.queue.some((run) => run.activations.some((one) => one.id === id));
  const inInput = lane.inputs.some((input) => input.id === id);
  const inOpen = lane.open?.activations.some((one) => one.id === id) === true;
  const place = inQueue ? 'queued' : inInput ? 'pending' : inOpen ? 'attached' : 'over';
  const says = state.is === 'answered' || state.is === 'retracted' ? 'over' : state.is;
  if (place !== says) report(`${id} is ${state.is}, in the lane ${place}`);
  if (state.is === 'retracted') {
    const isTold = events.some((event) => event.type === 'input.retracted' && event.activation === id);
    if (firstKept === 1 && !isTold) report(`${id} was retracted and nobody was told`);
    return;
  }
  const run = runs.get(state.runId);
  if (run === undefined) report(`${id} is of a run ${state.runId} without a record`);
  else if (!run.activations.includes(id) && says !== 'pending') report(`run ${run.id} does not know ${id}`);
  if (state.is === 'answered' && run !== undefined) checkOutcome(facts, id, { state, run }, report);
}

/** What an activation was answered with is what its run says at that number. */
function checkOutcome(
  { lane, events, firstKept }: Facts,
  id: string,
  answer: { readonly state: Activation['state'] & { is: 'answered' }; readonly run: Run },
  report: Report,
): void {
  const { state, run } = answer;
  const { fromSeq, toSeq, outcome } = state;
  if (fromSeq < 1 || fromSeq > toSeq || toSeq > lane.head) report(`${id} is answered by ${fromSeq} to ${toSeq}`);
  const last = toSeq < firstKept ? undefined : events[toSeq - firstKept];
  if (outcome.type === 'waiting') {
    if (last === undefined) return;
    const isSaid = last.type === 'run.waiting' && isDeepStrictEqual(last.ticketIds, outcome.ticketIds);
    if (!isSaid || last.runId !== run.id) report(`${id} is answered by a question that nobody asked`);
    return;
  }
  if (toSeq !== run.lastSeq) report(`${id} is answered at ${toSeq}, its run ended at ${run.lastSeq}`);
  if (!isDeepStrictEqual(outcome, run.outcome)) report(`${id} is answered otherwise than its run ended`);
}

// ── the tree of messages ──────────────────────────────────────────────────────────────────────────────────────────────

function checkMessages(facts: Facts, report: Report): void {
  const { lane, messages, runs } = facts;
  if (lane.messages !== messages.size) report(`${messages.size} messages are kept, ${lane.messages} entered`);
  if (new Set([...messages.values()].map((message) => message.seq)).size !== messages.size) {
    report('two messages have one place in the order');
  }
  for (const message of messages.values()) {
    const { id, parentId, runId } = message;
    if (parentId !== undefined && !messages.has(parentId))
      report(`message ${id} hangs on ${parentId}, which is not there`);
    if (runId !== undefined && !runs.has(runId)) report(`message ${id} is of a run ${runId} without a record`);
  }
  if (lane.headId !== undefined) pathTo(facts, lane.headId, report);
  for (const run of runs.values()) {
    if (run.headId === undefined || run.baseId === undefined) continue;
    if (!pathTo(facts, run.headId, report).has(run.baseId))
      report(`run ${run.id} does not lead on from where it started`);
  }
  checkEntries(facts, report);
}

/** The ids from a message to its root. */
function pathTo({ messages }: Facts, headId: string, report: Report): Set<string> {
  const path = new Set<string>();
  for (let id: string | undefined = headId; id !== undefined; id = messages.get(id)?.parentId) {
    if (path.has(id)) {
      report(`message ${id} is its own ancestor`);
      break;
    }
    if (!messages.has(id)) report(`message ${id} is on the path and not there`);
    path.add(id);
  }
  return path;
}

/** Each accepted message enters once, or says why it did not. */
function checkEntries({ events, messages, activations, runs, firstKept }: Facts, report: Report): void {
  const entered = new Set<string>();
  const entering = new Set<string>();
  for (const event of events) {
    if (event.type !== 'message.added') continue;
    const { message, activation } = event;
    if (entered.has(message.id)) report(`message ${message.id} enters twice`);
    entered.add(message.id);
    if (activation !== undefined) entering.add(activation);
    const kept = messages.get(message.id);
    if (kept === undefined) report(`message ${message.id} entered and is not kept`);
    else if (!isDeepStrictEqual(kept.parts, message.parts)) report(`message ${message.id} was changed`);
  }
  for (const { id, door } of messages.values()) {
    if (door !== undefined && firstKept === 1 && !entered.has(id)) report(`message ${id} came from nowhere`);
  }
  for (const { id, state, messageIds } of activations.values()) {
    const isTaken =
      state.is === 'attached' || (state.is === 'answered' && runs.get(state.runId)?.firstSeq !== undefined);
    if (!isTaken && entering.has(id)) report(`${id} is ${state.is}, and its messages are in the thread`);
    for (const messageId of isTaken ? messageIds : []) {
      if (!messages.has(messageId)) report(`message ${messageId} of ${id} is lost`);
    }
  }
}
