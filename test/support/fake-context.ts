import type { Json } from '../../schemas/json.ts';
import type { Message } from '../../schemas/message.ts';
import { RunEventBody } from '../../schemas/run-event.ts';
import type { Decision, Question } from '../../schemas/ticket.ts';
import type { Activated, Agent, Memory, RunContext } from '../../src/agents/agent.ts';
import type { Attachment } from '../../src/attachment.ts';
import { type Deferred, deferred } from '../../src/deferred.ts';
import { emptyView, foldBody, type RunView } from '../../src/events/view.ts';
import { Fault } from '../../src/fault.ts';

/** What of a run outlives its attempts. */
interface Kept {
  readonly answers: Map<string, Deferred<readonly Decision[]>>;
  readonly effects: Map<string, Json | undefined>;
  readonly taken: (readonly Message[])[];
  readonly runMemory: Map<string, Json>;
  readonly threadMemory: Map<string, Json>;
}

/** A run context whose people, pending input and history are played by the test. */
export class FakeContext implements RunContext {
  readonly attempt: number;
  readonly memory: RunContext['memory'];
  readonly asked: { readonly key: string; readonly questions: readonly Question[] }[] = [];
  /** Messages that wait to be taken, by one call of `input` each. */
  readonly pending: (readonly Message[])[] = [];
  past: readonly Message[] = [];
  checkpoints = 0;
  client: Attachment | undefined;
  readonly #aborter = new AbortController();
  readonly #kept: Kept;
  readonly #usedKeys = new Set<string>();
  #inputs = 0;

  constructor(attempt = 1, kept: Kept = nothingKept()) {
    this.attempt = attempt;
    this.#kept = kept;
    this.memory = { run: memoryIn(kept.runMemory), thread: memoryIn(kept.threadMemory) };
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** The next attempt of the same run: what was asked, done and taken is kept. */
  nextAttempt(): FakeContext {
    const next = new FakeContext(this.attempt + 1, this.#kept);
    next.past = this.past;
    return next;
  }

  abort(fault = new Fault('claim-lost', 'the run was cancelled')): void {
    this.#aborter.abort(fault);
  }

  /** A person answers what is, or will be, asked under a key. */
  answer(key: string, ...decisions: readonly Decision[]): void {
    this.#answerTo(key).resolve(decisions);
  }

  id(key: string): string {
    return `item-${key}`;
  }

  async *history(): AsyncGenerator<Message> {
    yield* this.past;
  }

  input(): Promise<readonly Message[]> {
    const call = this.#inputs++;
    const messages = (this.#kept.taken[call] ??= this.pending.shift() ?? []);
    return Promise.resolve(messages);
  }

  ask(key: string, ...questions: readonly [Question, ...Question[]]): Promise<readonly Decision[]> {
    this.#use(key);
    this.asked.push({ key, questions });
    return this.#orAborted(this.#answerTo(key).promise);
  }

  async once<Result extends Json | undefined>(
    key: string,
    effect: (e: { readonly idempotencyKey: string; readonly signal: AbortSignal }) => Promise<Result>,
  ): Promise<Result> {
    this.#use(key);
    if (this.#kept.effects.has(key)) return this.#kept.effects.get(key) as Result;
    const result = await effect({ idempotencyKey: `run-1/${key}`, signal: this.signal });
    this.#kept.effects.set(key, result);
    return result;
  }

  checkpoint(): Promise<void> {
    this.checkpoints++;
    return Promise.resolve();
  }

  blob(id: string): Promise<string> {
    return Promise.reject(new Fault('not-found', `no blob ${id}`));
  }

  #use(key: string): void {
    if (this.#usedKeys.has(key)) throw new Fault('journal-diverged', `the key ${key} was used twice`);
    this.#usedKeys.add(key);
  }

  #answerTo(key: string): Deferred<readonly Decision[]> {
    const known = this.#kept.answers.get(key) ?? deferred<readonly Decision[]>();
    this.#kept.answers.set(key, known);
    return known;
  }

  #orAborted<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.signal.addEventListener('abort', () => {
        reject(this.signal.reason as Error);
      });
      promise.then(resolve, reject);
    });
  }
}

/** An agent's attempt, event by event; an event that breaks the schema, or that what came before does not allow, throws. */
export async function* attemptOf(
  agent: Agent,
  activation: Activated,
  context: RunContext,
): AsyncGenerator<RunEventBody> {
  const view = emptyView(activation.runId, activation.state);
  for await (const event of agent.run(activation, context)) {
    const body = RunEventBody.parse(event);
    if (body.type !== 'ending') foldBody(view, body);
    yield body;
  }
}

/** What a whole attempt yielded, and its fold. */
export async function runAttempt(
  agent: Agent,
  activation: Activated,
  context: RunContext,
): Promise<{ readonly events: readonly RunEventBody[]; readonly view: RunView }> {
  const view = emptyView(activation.runId, activation.state);
  const events: RunEventBody[] = [];
  for await (const body of attemptOf(agent, activation, context)) {
    events.push(body);
    if (body.type !== 'ending') foldBody(view, body);
  }
  return { events, view };
}

export function userMessage(text: string, id = 'message-1'): Message {
  return { id, seq: 1, actor: 'ann', role: 'user', parts: [{ type: 'text', text }] };
}

/** A request with these messages, a text standing for one user message. */
export function activated(messages: string | readonly Message[], rest: Partial<Activated> = {}): Activated {
  return {
    runId: 'run-1',
    scope: 'local',
    threadId: 'thread-1',
    actor: 'ann',
    messages: typeof messages === 'string' ? [userMessage(messages)] : messages,
    tools: [],
    context: [],
    forwardedProps: undefined,
    references: [],
    acceptedModes: [],
    trace: undefined,
    metadata: {},
    state: {},
    workspace: undefined,
    settings: { options: {} },
    ...rest,
  };
}

function nothingKept(): Kept {
  return { answers: new Map(), effects: new Map(), taken: [], runMemory: new Map(), threadMemory: new Map() };
}

function memoryIn(values: Map<string, Json>): Memory {
  return {
    get: (key) => Promise.resolve(values.get(key)),
    set(key, value) {
      values.set(key, value);
      return Promise.resolve();
    },
  };
}
