import type { ActivationRequest } from '../../schemas/activation.ts';
import type { FaultCode } from '../../schemas/fault.ts';
import type { ThreadKey } from '../../schemas/id.ts';
import type { MessageInput } from '../../schemas/message.ts';
import { textOf } from '../../schemas/part.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { EventBody, EventType, RunEvent } from '../../schemas/run-event.ts';
import type { Answer, Question, Ticket } from '../../schemas/ticket.ts';
import { emptyView, foldEvent, messagesOf, pendingToolCalls, type RunView } from '../../src/events/view.ts';
import { Fault } from '../../src/fault.ts';
import type {
  AgentTerms,
  Caller,
  Command,
  CommandType,
  Outcomes,
  Rules,
  Started,
  Written,
} from '../../src/lane/command.ts';
import { claimOf, type Lane, type LaneClaim, wakeAtMs } from '../../src/lane/lane.ts';
import type { Found, RecordKind, Records, Write } from '../../src/lane/records.ts';
import { step } from '../../src/lane/step.ts';
import type { StoreReader } from './checker.ts';

/** The published defaults. */
export const rules: Rules = {
  maxAttempts: 5,
  backoffBaseMs: 250,
  backoffCapMs: 30_000,
  maxInterruptions: 20,
  graceMs: 5_000,
  parkAfterMs: 300_000,
  ticketTtlMs: 7 * 86_400_000,
  queuePerThread: 100,
  queueInAll: 10_000,
  push: { perRun: 10, perThread: 200, maxAttempts: 20, backoffBaseMs: 1000, backoffCapMs: 300_000 },
};

export const alice: Caller = { actor: 'alice', door: 'ag-ui', origin: 'user' };
export const bob: Caller = { actor: 'bob', door: 'acp', origin: 'user' };

/** An agent's terms by default: it can be run again, and takes input. */
export const agent: AgentTerms = { id: 'demo', version: '1', recovery: 'rerun', takesInput: true };

/** What a test says of a request; the rest has a default. */
export interface Said extends Partial<
  Omit<ActivationRequest, 'scope' | 'threadId' | 'agentId' | 'actor' | 'door' | 'origin' | 'messages'>
> {
  readonly by?: Caller;
  /** Messages without an id, or whole ones. */
  readonly messages?: readonly (string | MessageInput)[];
  readonly agent?: AgentTerms;
  readonly digest?: string;
  /** Claims at once with this token, if something may be claimed. */
  readonly token?: string;
  /** What the sender found wrong with the answers, by ticket. */
  readonly problems?: Readonly<Record<string, string>>;
}

/** What ends an attempt. */
export type Ending = Command<'settle'>['ending'];
export const done: Ending = { type: 'completed', stop: 'end_turn' };
export function failed(retryable: boolean): Ending {
  const code = retryable ? 'agent-failed' : 'agent-refused';
  return { type: 'failed', fault: { code, message: 'it failed', retryable } };
}

/**
 * One thread in memory: applies steps all or nothing, keeps the log and the records as a store would, mints ids and
 * holds the clock. What it hands to the rules is frozen, so that a rule that changes its input fails the test.
 */
export class LaneDriver {
  readonly thread: ThreadKey = { scope: 'local', threadId: 'thread' };
  readonly log: RunEvent[] = [];
  readonly rules: Rules;
  nowMs = 1_750_000_000_000;
  lane: Lane | undefined;
  readonly #records = new Map<RecordKind, Map<string, unknown>>();
  #minted = 0;

  constructor(change: Partial<Rules> = {}) {
    this.rules = { ...rules, ...change };
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Does one command and commits what it decides; whatever it throws leaves everything as it was. */
  do<Type extends CommandType>(command: Command<Type>): Outcomes[Type] {
    const decided = this.decideOnly(command);
    this.#commit(decided.lane, decided.writes);
    return decided.outcome;
  }

  /** What a command would do. */
  decideOnly<Type extends CommandType>(command: Command<Type>): ReturnType<typeof step<Type>> {
    const found: Found = { find: (kind, id) => this.find(kind, id) };
    return freeze(step<Type>(this.rules, this.lane, found, freeze(command), this.nowMs, this.thread));
  }

  accept(said: Said = {}): Outcomes['accept'] {
    return this.do(this.acceptance(said));
  }

  /** Accepts and claims at once; fails the test when nothing starts. */
  start(said: Said = {}): Started {
    return begun(this.accept({ token: this.mint('token'), ...said }).started);
  }

  acceptance(said: Said = {}): Command<'accept'> {
    const { by = alice, agent: terms = agent, digest, token, problems = {}, ...request } = said;
    const messages = (request.messages ?? ['hello']).map((one) => (typeof one === 'string' ? user(one) : one));
    const toolResults = request.toolResults ?? [];
    const decisions = request.decisions ?? [];
    return {
      type: 'accept',
      request: {
        key: this.mint('key'),
        messagesAre: 'new',
        whenBusy: 'queue',
        tools: [],
        context: [],
        references: [],
        acceptedModes: [],
        metadata: {},
        endsAt: 'done',
        priority: 100,
        ...request,
        ...this.thread,
        ...by,
        agentId: terms.id,
        messages,
        toolResults,
        decisions,
      },
      waitsInAll: 0,
      digest: digest ?? JSON.stringify([messages, toolResults, decisions, request.state]),
      bytes: 100,
      agent: terms,
      decisions: decisions.map((one) => ({ ...one, problem: problems[one.ticketId] })),
      blobs: [],
      ids: {
        runId: this.mint('run'),
        logId: this.mint('log'),
        messageIds: [...toolResults, ...messages].map(() => this.mint('msg')),
      },
      offer: token === undefined ? undefined : { token, owner: 'owner' },
    };
  }

  offer(token: string = this.mint('token')): LaneClaim {
    return { token, owner: 'owner' };
  }

  /** Claims what is next; undefined when nothing may be claimed. */
  tryClaim(token?: string): Started | undefined {
    return this.do({ type: 'claim', offer: this.offer(token) }).started;
  }

  claim(token?: string): Started {
    return begun(this.tryClaim(token));
  }

  /** The holder's appends, as a store numbers and fences them. */
  append(token: string, ...bodies: readonly EventBody[]): void {
    const { lane } = this;
    if (lane?.open === undefined || claimOf(lane)?.token !== token)
      throw new Fault('claim-lost', 'the token holds nothing');
    const { runId, attempt } = lane.open;
    const lastMs = Math.max(this.nowMs, lane.lastMs);
    const envelope = { atMs: lastMs, threadId: lane.threadId, runId, attempt, token };
    const events = bodies.map((body, index) => ({ seq: lane.head + 1 + index, ...envelope, ...body }));
    const writes = events.map((event): Write => ({ op: 'event', event }));
    this.#commit({ ...lane, head: lane.head + bodies.length, lastMs }, writes);
  }

  /** The agent says something, as one ended text. */
  say(token: string, text: string, id: string = this.mint('itm')): string {
    this.append(
      token,
      { type: 'text.started', id, role: 'assistant' },
      { type: 'text.delta', id, delta: text },
      { type: 'text.ended', id },
    );
    return id;
  }

  /** The agent calls a tool that the client offered. */
  callClient(token: string, name: string, id: string = this.mint('call')): string {
    this.append(token, { type: 'tool.started', id, name, runBy: 'client' }, { type: 'tool.called', id, args: '{}' });
    return id;
  }

  ask(token: string, key: string, ...questions: readonly Partial<Question>[]): readonly Ticket[] {
    const asked = questions.length === 0 ? [{}] : questions;
    return this.do({
      type: 'ask',
      token,
      key,
      digest: JSON.stringify(asked),
      questions: asked.map((question) => ({
        id: this.mint('ticket'),
        question: { kind: 'approval', text: 'may I?', ...question },
      })),
    }).tickets;
  }

  /** Asks one thing and waits for the answer. */
  askAndWait(token: string, key: string, question: Partial<Question> = {}): string {
    const [ticket] = this.ask(token, key, question);
    this.do({ type: 'wait', token });
    return ticket?.id ?? '';
  }

  decide(ticketId: string, answer: Answer, by: Caller = alice, decisionId?: string): Outcomes['decide'] {
    return this.do({ type: 'decide', decision: { ticketId, answer, decisionId }, by });
  }

  settle(token: string, ending: Ending = done, next?: { readonly token: string }): Outcomes['settle'] {
    return this.do(this.settlement(token, ending, next));
  }

  settlement(token: string, ending: Ending = done, next?: { readonly token: string }): Command<'settle'> {
    const runId = this.lane?.open?.runId ?? 'none';
    return { type: 'settle', token, runId, ending, ...this.#end(runId, next) };
  }

  /** Finishes the run whose outcome is decided. */
  finish(next?: { readonly token: string }): Outcomes['finish'] {
    const runId = this.lane?.open?.runId ?? 'none';
    return this.do({ type: 'finish', runId, ...this.#end(runId, next) });
  }

  #end(runId: string, next?: { readonly token: string }): Pick<Command<'settle'>, 'written' | 'ids' | 'offer'> {
    const offer = next === undefined ? undefined : this.offer(next.token);
    return { written: this.written(runId), ids: { runId: this.mint('run') }, offer };
  }

  cancel(target: Command<'cancel'>['target'], by: Caller = alice): Outcomes['cancel'] {
    return this.do({ type: 'cancel', target, by });
  }

  interrupt(by: Caller = alice): Outcomes['interrupt'] {
    return this.do({ type: 'interrupt', by });
  }

  /** Lets time pass, and does what has become due. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.do({ type: 'tick' });
  }

  // ── what is there ───────────────────────────────────────────────────────────────────────────────────────────────────

  mint(prefix: string): string {
    this.#minted += 1;
    return `${prefix}-${this.#minted}`;
  }

  find<Kind extends RecordKind>(kind: Kind, id: string): Records[Kind] | undefined {
    return this.#records.get(kind)?.get(id) as Records[Kind] | undefined;
  }

  get<Kind extends RecordKind>(kind: Kind, id: string): Records[Kind] {
    const record = this.find(kind, id);
    if (record === undefined) throw new Error(`there is no ${kind} ${id}`);
    return record;
  }

  all<Kind extends RecordKind>(kind: Kind): Records[Kind][] {
    return [...(this.#records.get(kind)?.values() ?? [])] as Records[Kind][];
  }

  get phase(): string | undefined {
    return this.lane?.open?.phase.is;
  }

  get wakesInMs(): number | undefined {
    const wake = this.lane === undefined ? undefined : wakeAtMs(this.lane);
    return wake === undefined ? undefined : wake - this.nowMs;
  }

  /** The state of an activation. */
  stateOf(activation: { readonly id: string }): string {
    return this.get('activation', activation.id).state.is;
  }

  outcomeOf(runId: string): Outcome | undefined {
    return this.get('run', runId).outcome;
  }

  /** The events of one type. */
  events<Type extends EventType>(type: Type): (RunEvent & { type: Type })[] {
    return this.log.filter((event): event is RunEvent & { type: Type } => event.type === type);
  }

  /** The types of what was recorded after a number. */
  typesAfter(seq: number): EventType[] {
    return this.log.filter((event) => event.seq > seq).map((event) => event.type);
  }

  /** The messages from the root to the head of the thread, as `role: text`. */
  history(from: string | undefined = this.lane?.headId): string[] {
    const path: string[] = [];
    for (let id = from; id !== undefined;) {
      const { role, parts, parentId } = this.get('message', id);
      path.unshift(`${role}: ${textOf(parts)}`);
      if (path.length > this.all('message').length) throw new Error('the messages form a ring');
      id = parentId;
    }
    return path;
  }

  /** A run's log, folded. */
  view(runId: string): RunView {
    const view = emptyView(runId);
    for (const event of this.log) foldEvent(view, event);
    return view;
  }

  /** What a run has written so far, as whoever ends it gathers it. */
  written(runId: string): Written {
    const view = this.view(runId);
    const agentId = this.find('run', runId)?.agentId ?? '';
    const changedState = this.log.some((event) => event.runId === runId && event.type.startsWith('state.'));
    return {
      messages: messagesOf(view, agentId),
      pendingToolCalls: pendingToolCalls(view),
      thread: { ...view.changes, ...(changedState ? { state: view.state } : {}) },
      seq: view.seq,
    };
  }

  /** The thread as a store shows it. */
  reader(): StoreReader {
    const isThis = (thread: ThreadKey): boolean =>
      thread.scope === this.thread.scope && thread.threadId === this.thread.threadId;
    return {
      findLane: (thread) => Promise.resolve(isThis(thread) ? this.lane : undefined),
      listRecords: <Kind extends RecordKind>(thread: ThreadKey, kind: Kind, after: string, limit: number) => {
        const ids = [...(this.#records.get(kind)?.keys() ?? [])].filter((id) => id > after).toSorted();
        return Promise.resolve(isThis(thread) ? ids.slice(0, limit).map((id) => this.get(kind, id)) : []);
      },
      readEvents: (thread, after, limit) =>
        Promise.resolve(isThis(thread) ? this.log.filter((event) => event.seq > after).slice(0, limit) : []),
      listThreads: (scope, after) =>
        Promise.resolve(
          scope === this.thread.scope && after < this.thread.threadId && this.lane !== undefined ? [this.thread] : [],
        ),
    };
  }

  #commit(lane: Lane, writes: readonly Write[]): void {
    for (const write of writes) {
      switch (write.op) {
        case 'event':
          this.log.push(stored(write.event));
          break;
        case 'put':
          this.#of(write.kind).set(write.id, stored(write.value));
          break;
        case 'remove':
          this.#of(write.kind).delete(write.id);
          break;
        case 'drop':
          this.#records.clear();
          this.log.length = 0;
          break;
      }
    }
    this.lane = lane === this.lane ? lane : stored(lane);
  }

  #of(kind: RecordKind): Map<string, unknown> {
    const known = this.#records.get(kind) ?? new Map<string, unknown>();
    this.#records.set(kind, known);
    return known;
  }
}

export function user(text: string, id?: string): MessageInput {
  return { id, role: 'user', parts: [{ type: 'text', text }] };
}

export function assistant(text: string, id?: string): MessageInput {
  return { id, role: 'assistant', parts: [{ type: 'text', text }] };
}

/** The code that a call is refused with; undefined when it is not. */
export function refusal(call: () => unknown): FaultCode | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

function begun(started: Started | undefined): Started {
  if (started === undefined) throw new Error('nothing was there to claim');
  return started;
}

/** As it comes back from a store: what JSON keeps of it, and nobody can change it. */
function stored<Value>(value: Value): Value {
  return freeze(JSON.parse(JSON.stringify(value)) as Value);
}

function freeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
  return value;
}
