import { hash } from 'node:crypto';
import type { Json } from '../../schemas/json.ts';
import type { Message } from '../../schemas/message.ts';
import { type Decision, Question, type Ticket } from '../../schemas/ticket.ts';
import type { Memory, RunContext } from '../agents/agent.ts';
import type { Attachment } from '../attachment.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { messagesOf } from '../events/view.ts';
import { Fault } from '../fault.ts';
import type { Ids } from '../ids.ts';
import type { Outcomes } from '../lane/command.ts';
import type { Lane } from '../lane/lane.ts';
import { copyOf } from './agent-input.ts';
import { checkSchema } from './answers.ts';
import type { Attempt } from './attempt.ts';
import type { Store } from './store.ts';
import { readPath } from './views.ts';

interface PendingAsk {
  readonly ticketIds: readonly string[];
  readonly answered: Deferred<readonly Decision[]>;
}

/** An agent may leave what it began; then its failing is no reason to end the process. */
function unheeded<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

export interface ContextPorts {
  readonly store: Store;
  readonly ids: Ids;
  /** The live client that started the run, as it is now. */
  readonly client: () => Attachment | undefined;
}

/** What an agent is given of its run: the journal behind `ask`, `once` and `input`, stable ids, history and memory. */
export class AttemptContext implements RunContext {
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly memory: RunContext['memory'];
  readonly #owner: Attempt;
  readonly #store: Store;
  readonly #ids: Ids;
  readonly #findClient: () => Attachment | undefined;
  readonly #keys = new Set<string>();
  readonly #asks = new Set<PendingAsk>();
  #inputs = 0;
  /** Journal calls and effects under way that no person is asked for. */
  #working = 0;

  constructor(owner: Attempt, { store, ids, client }: ContextPorts) {
    this.#owner = owner;
    this.#store = store;
    this.#ids = ids;
    this.#findClient = client;
    this.signal = owner.signal;
    this.attempt = owner.started.attempt;
    const { runId, agentId } = owner.started;
    // Encoded, so that no agent's id and key read like another's.
    this.memory = { run: this.#memory(`run/${runId}`), thread: this.#memory(`agent/${encodeURIComponent(agentId)}`) };
  }

  /** Whether nothing but people's answers can move the run on, as far as the journal knows. */
  get waits(): boolean {
    return this.#asks.size > 0 && this.#working === 0;
  }

  get client(): Attachment | undefined {
    return this.#findClient();
  }

  id(key: string): string {
    const { runId, turn } = this.#owner.started;
    const digest = hash('sha256', `${runId}\0${turn}\0${key}`);
    return `itm_${digest.slice(0, 24)}`;
  }

  async *history(): AsyncGenerator<Message, void, void> {
    await this.#owner.flush();
    const { view, started, thread } = this.#owner;
    const before = await readPath(this.#store, thread, started.baseId);
    const own = messagesOf(view, started.agentId, 'final').map((draft): Message => ({ ...draft, seq: 1 }));
    const told = [...before, ...own].filter(({ excluded, role }) => excluded !== true && role !== 'activity');
    yield* answerDangling(told);
  }

  input(): Promise<readonly Message[]> {
    return unheeded(this.#input());
  }

  ask(key: string, ...questions: readonly [Question, ...Question[]]): Promise<readonly Decision[]> {
    return unheeded(this.#ask(key, questions));
  }

  once<Result extends Json | undefined>(
    key: string,
    effect: (e: { readonly idempotencyKey: string; readonly signal: AbortSignal }) => Promise<Result>,
    inDoubt: 'ask' | 'fail' | 'repeat' = 'ask',
  ): Promise<Result> {
    return unheeded(this.#once(key, effect, inDoubt));
  }

  checkpoint(): Promise<void> {
    return unheeded(this.#checkpoint());
  }

  async #input(): Promise<readonly Message[]> {
    this.#inputs += 1;
    const key = `input:${this.#inputs}`;
    await this.#owner.flush();
    const { messages } = await this.#owner.turn({ type: 'takeInput', token: this.#owner.token, key });
    this.#owner.tookInput(messages);
    return messages;
  }

  async #ask(key: string, questions: readonly Question[]): Promise<readonly Decision[]> {
    this.#useKey(key);
    const named = questions.map((question) => ({
      id: this.#ids.next('tkt'),
      question: copyOf(Question, question, 'a question'),
    }));
    for (const { question } of named) if (question.schema !== undefined) checkSchema(question.schema);
    await this.#owner.flush();
    const { tickets } = await this.#owner.turn({
      type: 'ask',
      token: this.#owner.token,
      key,
      digest: digestOf(questions),
      questions: named,
    });
    this.#owner.reachedBoundary();
    const known = decisionsOf(tickets);
    if (known !== undefined) return known;
    // Told to stop meanwhile: nobody would tell this ask.
    this.signal.throwIfAborted();
    const pending: PendingAsk = { ticketIds: tickets.map((ticket) => ticket.id), answered: deferred() };
    void unheeded(pending.answered.promise);
    this.#asks.add(pending);
    this.#owner.quieten();
    // An answer may have come between the commit that opened the questions and here.
    await this.#lookAt(pending);
    return pending.answered.promise;
  }

  async #once<Result extends Json | undefined>(
    key: string,
    effect: (e: { readonly idempotencyKey: string; readonly signal: AbortSignal }) => Promise<Result>,
    inDoubt: 'ask' | 'fail' | 'repeat',
  ): Promise<Result> {
    this.#useKey(key);
    let done = await this.#work(() => this.#effect(key, effect, false));
    if (done.is === 'in-doubt') {
      await this.#resolveDoubt(key, inDoubt);
      done = await this.#work(() => this.#effect(key, effect, true));
    }
    if (done.is !== 'finished') throw new Fault('in-doubt', `${key} was started again by somebody else`);
    // What was stored under this key came from this call's effect in an earlier attempt.
    return done.result as Result;
  }

  async #effect<Result extends Json | undefined>(
    key: string,
    effect: (e: { readonly idempotencyKey: string; readonly signal: AbortSignal }) => Promise<Result>,
    repeat: boolean,
  ): Promise<Exclude<Outcomes['once'], { is: 'started' }>> {
    const { token, started } = this.#owner;
    await this.#owner.flush();
    const begun = await this.#owner.turn({ type: 'once', token, key, digest: 'once', repeat });
    if (begun.is !== 'started') return begun;
    const idempotencyKey = `${started.runId}/${started.turn}/${key}`;
    const result = await effect({ idempotencyKey, signal: this.signal });
    await this.#owner.flush();
    await this.#owner.turn({ type: 'endOnce', token, key, result });
    this.#owner.reachedBoundary();
    return { is: 'finished', result };
  }

  /** Work of the run's own: meanwhile it does not wait for people, and it holds a slot. Not begun after an abort. */
  async #work<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#working += 1;
    try {
      await this.#owner.goOn();
      this.signal.throwIfAborted();
      return await work();
    } finally {
      this.#working -= 1;
      this.#owner.quieten();
    }
  }

  async #resolveDoubt(key: string, inDoubt: 'ask' | 'fail' | 'repeat'): Promise<void> {
    if (inDoubt === 'repeat') return;
    const doubt = new Fault(
      'in-doubt',
      `${key} was started by an earlier attempt, and nobody knows whether it happened`,
    );
    if (inDoubt === 'fail') throw doubt;
    const [decision] = await this.ask(`${key}?`, {
      kind: 'choice',
      text: `“${key}” was started before the process died. It may or may not have happened. Run it again?`,
      options: [
        { id: 'repeat', name: 'Run it again', kind: 'allow-once' },
        { id: 'fail', name: 'Stop the run', kind: 'reject-once' },
      ],
    });
    const again =
      decision?.how === 'answered' && decision.answer.type === 'option' && decision.answer.optionId === 'repeat';
    if (!again) throw doubt;
  }

  async #checkpoint(): Promise<void> {
    await this.#owner.flush();
    await this.#owner.turn({ type: 'checkpoint', token: this.#owner.token });
    this.#owner.reachedBoundary();
  }

  async blob(id: string): Promise<string> {
    const blob = await this.#store.findRecord(this.#owner.thread, 'blob', id);
    if (blob === undefined) throw new Fault('not-found', `the thread has no blob ${id}`);
    return blob.data;
  }

  /** Looks whether the lane's change answered an ask. */
  observe(lane: Lane): void {
    const open = new Set(lane.open?.tickets.map((ticket) => ticket.id));
    for (const pending of this.#asks) {
      if (pending.ticketIds.every((id) => !open.has(id))) void this.#lookAt(pending);
    }
  }

  /** Nobody will answer any more. */
  abandon(why: Fault): void {
    for (const { answered } of this.#asks) answered.reject(why);
    this.#asks.clear();
  }

  /** Never rejects: what goes wrong here is the ask's to throw. */
  async #lookAt(pending: PendingAsk): Promise<void> {
    try {
      const tickets = await Promise.all(
        pending.ticketIds.map((id) => this.#store.findRecord(this.#owner.thread, 'ticket', id)),
      );
      const decisions = decisionsOf(tickets);
      if (decisions === undefined || !this.#asks.delete(pending)) return;
      await this.#owner.goOn();
      await this.#owner.readEntered();
      this.signal.throwIfAborted();
      pending.answered.resolve(decisions);
    } catch (error) {
      const why = Fault.from(error);
      pending.answered.reject(why);
      this.#owner.fail(why);
    }
  }

  #useKey(key: string): void {
    if (this.#keys.has(key)) throw new Fault('journal-diverged', `the key ${key} was used before in this attempt`);
    this.#keys.add(key);
  }

  #memory(prefix: string): Memory {
    const { thread } = this.#owner;
    return {
      get: async (key) => (await this.#store.findRecord(thread, 'memory', `${prefix}/${key}`))?.value,
      set: async (key, value) => {
        const { token } = this.#owner;
        await this.#store.update(thread, (lane) => {
          const phase = lane?.open?.phase;
          if (lane === undefined || phase === undefined || !('claim' in phase) || phase.claim.token !== token) {
            throw new Fault('claim-lost', 'this attempt no longer holds its run');
          }
          const write = { op: 'put', kind: 'memory', id: `${prefix}/${key}`, value: { value } } as const;
          return { lane, writes: [write], outcome: undefined };
        });
      },
    };
  }
}

function decisionsOf(tickets: readonly (Ticket | undefined)[]): readonly Decision[] | undefined {
  const decisions: Decision[] = [];
  for (const ticket of tickets) {
    if (ticket?.closed === undefined) return undefined;
    decisions.push(ticket.closed.decision);
  }
  return decisions;
}

function digestOf(questions: readonly Question[]): string {
  return hash('sha256', JSON.stringify(questions));
}

/** A call that nobody answered gets a result that says so, right behind its message: models refuse dangling calls. */
function* answerDangling(messages: readonly Message[]): Generator<Message, void, void> {
  const answered = new Set(messages.map((message) => message.toolCallId));
  for (const message of messages) {
    yield message;
    for (const call of message.toolCalls ?? []) {
      if (answered.has(call.id)) continue;
      const text = 'not answered';
      const { seq, runId, actor } = message;
      yield {
        id: `${call.id}:unanswered`,
        parentId: message.id,
        seq,
        runId,
        actor,
        role: 'tool',
        toolCallId: call.id,
        parts: [{ type: 'text', text }],
        error: text,
      };
    }
  }
}
