// What one client brings into its session: prompts, each answered at its own end, words for a running turn, and cancels.
// https://agentclientprotocol.com/protocol/v1/prompt-turn
import { randomUUID } from 'node:crypto';
import type { Activation, TicketAnswer, WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ActivationId, RunId, ThreadId } from '../../schemas/id.ts';
import { textOf } from '../../schemas/part.ts';
import type { Outcome } from '../../schemas/run.ts';
import { answerInWords } from '../../src/answer-in-words.ts';
import { type Deferred, deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway, Receipt, Submission } from '../../src/gateway.ts';
import { noSession } from './no-session.ts';
import { questionInWords } from './questions.ts';
import type { Asked, Words } from './version.ts';

export interface PromptsParts {
  readonly gateway: Gateway;
  readonly caller: Caller;
  readonly threadId: ThreadId;
  readonly card: AgentCard;
  /** Names of requests begin with it, by which their client knows them when it comes back. */
  readonly clientId: string;
  /** What a prompt does when its thread is busy. */
  readonly whenBusy: WhenBusy;
  /** The questions that the client cannot be asked, and that are all its run waits for. */
  readonly stuckOn: () => readonly Asked[];
  readonly say: (messageId: string, text: string) => void;
  /** A prompt was taken in, or had been before. */
  readonly accepted: (was: Receipt['was']) => Promise<void>;
}

/** A prompt that waits for its end. */
interface Prompt extends Deferred<Outcome> {
  readonly id: ActivationId;
}

const endTurn: Outcome = { type: 'completed', stop: 'end_turn', pendingToolCalls: [] };
const noAnswer = Symbol('the words answer nothing for certain');

export class Prompts {
  readonly #parts: PromptsParts;
  readonly #waiting = new Set<Prompt>();
  /** Requests and cancels of one session are accepted in the order they came in. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: PromptsParts) {
    this.#parts = parts;
  }

  /** Whether the client itself sent this request, on this connection or an earlier one. */
  isOwn(id: ActivationId): boolean {
    return id.startsWith(`acp:${this.#keyOf('')}`);
  }

  /** Resolves at the prompt's own end. @throws Fault as `Gateway.submit`, and what its run failed with */
  async prompt(words: Words, signal: AbortSignal): Promise<Outcome> {
    const key = this.#keyOf(words.key);
    const prompt: Prompt = { id: `acp:${key}`, ...deferred<Outcome>() };
    this.#waiting.add(prompt);
    // Whoever rejects it need not be awaited: the request may be refused first.
    prompt.promise.catch(() => undefined);
    // Who leaves cancels nothing.
    const stop = (): void => {
      if (Fault.from(signal.reason).code !== 'client-gone') void this.#cancelPrompt(prompt);
    };
    try {
      const became = await this.inTurn(() => this.#accept(words, key));
      if (became === 'unclear') return endTurn;
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      await this.#parts.accepted(became);
      return await prompt.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#waiting.delete(prompt);
    }
  }

  /** `unclear`: it was to answer a question and does not; nothing is written then. */
  async #accept(words: Words, key: string): Promise<Receipt['was'] | 'unclear'> {
    const { gateway, caller, threadId } = this.#parts;
    const isNew = words.key === undefined;
    const known = isNew ? undefined : await gateway.findActivation(caller, threadId, `acp:${key}`);
    // Words that answered a question then would be a message now, and a message then may seem to answer one.
    if (known?.messageIds.length === 0) return 'repeated';
    const decision = known === undefined ? this.#decisionIn(words) : undefined;
    if (decision !== noAnswer) return (await this.#submit(words, { key, decision })).was;
    this.#parts.say(`unclear:${key}`, this.#parts.stuckOn().map(questionInWords).join('\n\n'));
    return 'unclear';
  }

  /** What a prompt says to the questions that this client could not be asked. */
  #decisionIn({ parts }: Words): TicketAnswer | undefined | typeof noAnswer {
    const [ticket, ...others] = this.#parts.stuckOn();
    if (ticket === undefined) return undefined;
    const answer = others.length > 0 ? undefined : answerInWords(textOf(parts).trim(), ticket);
    return answer === undefined ? noAnswer : { ticketId: ticket.id, answer };
  }

  #submit(
    { parts, trace }: Words,
    { key, decision, ...rest }: Pick<Submission, 'key'> & Partial<Submission> & { decision?: TicketAnswer | undefined },
  ): Promise<Receipt> {
    const { gateway, caller, threadId, card, clientId, whenBusy } = this.#parts;
    return gateway.submit(caller, {
      threadId,
      door: 'acp',
      key,
      agentId: card.id,
      origin: 'user',
      messages: decision === undefined ? [{ role: 'user', parts: [...parts] }] : [],
      messagesAre: 'new',
      decisions: decision === undefined ? [] : [decision],
      toolResults: [],
      whenBusy,
      tools: [],
      context: [],
      references: [],
      acceptedModes: [],
      metadata: {},
      endsAt: 'done',
      priority: 128,
      attachmentId: clientId,
      trace,
      ...rest,
    });
  }

  /**
   * Puts words into the turn that runs. `started`: there was none, or its agent takes none, and they begin the next.
   * `not-running`: there was none, and they were to go nowhere else.
   */
  steer({
    onlyIfRunning,
    ...words
  }: Words & { readonly onlyIfRunning: boolean }): Promise<'injected' | 'started' | 'not-running'> {
    return this.inTurn(async () => {
      const { gateway, caller, threadId } = this.#parts;
      const key = this.#keyOf(words.key);
      const known = await gateway.findActivation(caller, threadId, `acp:${key}`);
      if (known !== undefined) return enteredAs(known.received.became);
      for (;;) {
        const status = await gateway.threads.find(caller, threadId);
        if (status === undefined) throw noSession(threadId);
        const { open } = status;
        const isRunning = open !== undefined && open.phase !== 'stopping' && open.phase !== 'ending';
        if (!isRunning && onlyIfRunning) return 'not-running';
        if (!isRunning) {
          await this.#submit(words, { key, whenBusy: 'queue' });
          return 'started';
        }
        try {
          const { became } = await this.#submit(words, { key, whenBusy: 'steer', expectedRunId: open.runId });
          return enteredAs(became);
        } catch (thrown) {
          // It has just ended: what is there now decides.
          if (Fault.from(thrown).code !== 'run-conflict') throw thrown;
        }
      }
    });
  }

  /** Ends what was brought in here; others' work stays. Resolves when that is decided, not when it has ended. */
  async cancel(): Promise<void> {
    const { gateway, caller, threadId } = this.#parts;
    const { runs } = await this.inTurn(() => gateway.threads.cancel(caller, threadId));
    // A prompt that another's run has taken ends here, and that run goes on.
    const cancelled: Outcome = { type: 'cancelled', by: caller.actor, reason: 'cancelled' };
    await this.endAttached(cancelled, (runId) => runs[runId] === undefined);
  }

  /** Never rejects. Where another's run has taken it, it ends here and that run goes on. */
  async #cancelPrompt({ id, resolve, reject }: Prompt): Promise<void> {
    const { gateway, caller, threadId } = this.#parts;
    try {
      await this.inTurn(() => gateway.runs.cancelActivation(caller, threadId, id));
    } catch (thrown) {
      if (Fault.from(thrown).code === 'input-taken') {
        resolve({ type: 'cancelled', by: caller.actor, reason: 'cancelled' });
      } else reject(thrown);
    }
  }

  /** Answers those that have come to their end, where their client was told everything up to `at`. */
  async settle(at: number): Promise<void> {
    for await (const { state, resolve } of this.#standing()) {
      if (state.is === 'retracted') resolve({ type: 'cancelled', by: state.by, reason: 'cancelled' });
      if (state.is !== 'answered' || state.toSeq > at || state.outcome.type === 'waiting') continue;
      resolve(state.outcome);
    }
  }

  /** Those that wait, and how their requests stand. */
  async *#standing(): AsyncGenerator<{
    readonly state: Activation['state'];
    readonly resolve: (end: Outcome) => void;
  }> {
    const { gateway, caller, threadId } = this.#parts;
    for (const { id, resolve } of this.#waiting) {
      const activation = await gateway.findActivation(caller, threadId, id);
      if (activation !== undefined) yield { state: activation.state, resolve };
    }
  }

  /** Ends the turns of those that a run (any, or one that is meant) has taken. */
  async endAttached(outcome: Outcome = endTurn, isMeant: (runId: RunId) => boolean = () => true): Promise<void> {
    for await (const { state, resolve } of this.#standing()) {
      if (state.is === 'attached' && isMeant(state.runId)) resolve(outcome);
    }
  }

  /** Nobody will see their end here. */
  end(why: Fault): void {
    for (const { reject } of this.#waiting) reject(why);
  }

  /** Resolves when those that wait now are answered. */
  async answered(): Promise<void> {
    await Promise.allSettled([...this.#waiting].map(({ promise }) => promise));
  }

  #keyOf(name: string | undefined): string {
    return `${this.#parts.clientId}/${name ?? randomUUID()}`;
  }

  /** Behind what the client sent before, and ahead of what it sends next. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** Words that an idle thread or an agent that takes none was given begin a turn of their own. */
function enteredAs(became: Receipt['became']): 'injected' | 'started' {
  return became === 'pending' ? 'injected' : 'started';
}
