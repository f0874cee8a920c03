// One session of one connection: a follower of its thread. What happens on the thread is told as updates, its questions
// are asked, and each prompt is answered at its own end. https://agentclientprotocol.com/protocol/v1/prompt-turn
import { randomUUID } from 'node:crypto';
import type { Activation, TicketAnswer, WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ThreadStatus } from '../../schemas/control.ts';
import type { ActivationId, ThreadId, TicketId } from '../../schemas/id.ts';
import { type Part, textOf } from '../../schemas/part.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Log } from '../../src/adapter.ts';
import { answerInWords } from '../../src/answer-in-words.ts';
import type { McpServer } from '../../src/attachment.ts';
import { type Deferred, deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway, Receipt, Submission } from '../../src/gateway.ts';
import { allFrames, decodePosition, encodePosition, type Position } from '../../src/log-position.ts';
import { Past } from './past.ts';
import type { JsonRpcPeer } from './peer.ts';
import { questionInWords } from './questions.ts';
import { QuestionsAsked } from './questions-asked.ts';
import type { ClientSide, Encoder, Update, Version } from './version.ts';

export interface SessionParts {
  readonly gateway: Gateway;
  readonly caller: Caller;
  readonly card: AgentCard;
  readonly version: Version;
  readonly client: ClientSide & { readonly clientId: string };
  readonly peer: JsonRpcPeer;
  /** What a prompt does when its thread is busy. */
  readonly whenBusy: WhenBusy;
  readonly log: Log;
}

/** From where a client is told what happens: its session's whole past, what comes from now on, or what follows an update. */
export type From =
  | { readonly is: 'start' }
  | { readonly is: 'now' }
  | { readonly is: 'after'; readonly cursor: string };

export interface Attached {
  readonly status: ThreadStatus;
  readonly cursor: string;
  /** Goes on with what happens. */
  readonly begin: () => void;
}

const endTurn: Outcome = { type: 'completed', stop: 'end_turn', pendingToolCalls: [] };
const noAnswer = Symbol('the words answer nothing for certain');

/**
 * Modes: `new` → attach → `attached`, following the thread → detach → `left`, for good. Attached again while it follows,
 * it begins anew, and its prompts stay.
 */
export class Session {
  readonly id: ThreadId;
  readonly #parts: SessionParts;
  readonly #past: Past;
  readonly #questions: QuestionsAsked;
  /** The prompts that wait for their end. */
  readonly #prompts = new Map<ActivationId, Deferred<Outcome>>();
  #encoder: Encoder | undefined;
  #attachment: Disposable | undefined;
  #following: { readonly over: AbortController; readonly done: Promise<void> } | undefined;
  /** The last event that its client was told. */
  #at = 0;
  /** Whether its run waits for people. */
  #waits = false;
  #toldToBeStuckOn = '';
  /** Requests and cancels of one session are accepted in the order they came in. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(id: ThreadId, parts: SessionParts) {
    this.id = id;
    this.#parts = parts;
    const { gateway, caller, version, client, peer, log } = parts;
    this.#past = new Past({ gateway, caller, threadId: id, version });
    this.#questions = new QuestionsAsked({
      peer,
      log,
      encode: (ticket, problem) =>
        version.encodeQuestion(ticket, {
          sessionId: id,
          client,
          problem,
          nameOf: (toolCallId) => this.#encoder?.nameOf(toolCallId) ?? toolCallId,
        }),
      tell: (update) => {
        this.tell(update);
      },
      decide: async (ticketId, answer) => {
        await gateway.tickets.decide(caller, ticketId, { answer });
      },
      onUnaskable: () => void this.#tellIfStuck(),
    });
  }

  /** @throws Fault `not-found`, `cursor-expired` */
  async attach(from: From, mcpServers: readonly McpServer[]): Promise<Attached> {
    const { gateway, caller, version, card, client, peer } = this.#parts;
    await this.#stopFollowing();
    const status = await this.#find();
    const encoder = version.newEncoder({ card, client }, (id) => id.startsWith(this.#own('')));
    this.#encoder = encoder;
    const position = await this.#position(from, status, encoder);
    this.#attachment?.[Symbol.dispose]();
    const side = version.attachmentOf(peer, { id: this.id, mcpServers }, client);
    this.#attachment = gateway.attach(caller, this.id, side);
    this.#at = endOf(position);
    const begin = (): void => {
      const over = new AbortController();
      this.#following = { over, done: this.#follow(encoder, position, over.signal) };
    };
    return { status, cursor: encodePosition(position), begin };
  }

  async #find(): Promise<ThreadStatus> {
    const { gateway, caller } = this.#parts;
    const status = await gateway.threads.find(caller, this.id);
    if (status === undefined) throw noSession(this.id);
    return status;
  }

  /** Where its client is once it is told what it asks for; the encoder is brought there too. */
  async #position(from: From, { logId, head }: ThreadStatus, encoder: Encoder): Promise<Position> {
    switch (from.is) {
      case 'start': {
        const replay = this.#past.replay(encoder);
        for (;;) {
          const { done, value } = await replay.next();
          if (done === true) return { logId: value.logId, seq: value.seq, frames: allFrames };
          this.tell(value);
          await this.#parts.peer.room();
        }
      }
      case 'now':
        await this.#past.prime(encoder, head);
        return { logId, seq: head, frames: allFrames };
      case 'after': {
        const position = decodePosition(from.cursor);
        if (position.logId !== logId || position.seq > head) {
          throw new Fault('cursor-expired', 'the position is not, or no longer, in the session’s log');
        }
        await this.#past.prime(encoder, endOf(position));
        return position;
      }
    }
  }

  /** Never rejects. Its client's slowness holds up this follower alone. */
  async #follow(encoder: Encoder, from: Position, signal: AbortSignal): Promise<void> {
    const { gateway, caller, peer, log } = this.#parts;
    try {
      await this.#findQuestions();
      await this.#settle();
      for await (const page of gateway.follow(caller, this.id, this.#at, signal)) {
        const closed = new Set(page.map((event) => (event.type === 'ticket.closed' ? event.ticketId : '')));
        for (const event of page) {
          // Most hold nothing that is kept apart: those cost no turn of the loop.
          const whole = this.#past.whole(event);
          this.#tellEvent(encoder, whole instanceof Promise ? await whole : whole, from);
          if (await this.#attend(event, closed)) await this.#settle();
        }
        await peer.room();
        if (signal.aborted) return;
      }
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (fault.code === 'internal') log.error({ cause: fault.cause ?? fault }, 'an ACP session broke off');
      this.#questions.leave();
      for (const { reject } of this.#prompts.values()) reject(fault);
    }
  }

  #tellEvent(encoder: Encoder, event: RunEvent, from: Position): void {
    const { takesCursors } = this.#parts.client;
    const { logId } = from;
    const { seq } = event;
    let frames = 0;
    for (const update of encoder.encode(event)) {
      frames += 1;
      if (seq === from.seq && frames <= from.frames) continue;
      this.tell(update, takesCursors ? encodePosition({ logId, seq, frames }) : undefined);
    }
    this.#at = seq;
  }

  tell(update: Update, cursor?: string): void {
    const { peer, version } = this.#parts;
    const { method, params } = version.encodeUpdate(this.id, update, cursor);
    peer.notify(method, params);
  }

  /** Whether a prompt may have come to its end. Not awaited where nothing is to be: most events are somebody's words. */
  #attend(event: RunEvent, closed: ReadonlySet<TicketId>): boolean | Promise<boolean> {
    switch (event.type) {
      case 'ticket.opened':
        if (!closed.has(event.ticket.id)) this.#questions.add(event.ticket);
        return false;
      case 'ticket.closed':
        this.#questions.close(event.ticketId);
        return this.#tellIfStuck().then(() => false);
      case 'run.waiting':
        this.#waits = true;
        return this.#tellIfStuck().then(() => false);
      case 'run.resumed':
      case 'run.stopping':
        this.#waits = false;
        return false;
      case 'run.finished':
        this.#waits = false;
        return true;
      case 'input.retracted':
        return true;
      default:
        return false;
    }
  }

  /** What its thread waits for as it is attached: that is asked again. */
  async #findQuestions(): Promise<void> {
    const { gateway, caller } = this.#parts;
    this.#questions.leave();
    const { open } = await this.#find();
    const report = open === undefined ? undefined : await gateway.runs.find(caller, open.runId);
    for (const ticket of report?.tickets ?? []) this.#questions.add(ticket);
    this.#waits = report?.run.status === 'waiting';
  }

  /**
   * Where all that is open cannot be asked of this client, its turn ends with the questions in words; the run goes on
   * waiting, for words or for an answer from elsewhere.
   */
  async #tellIfStuck(): Promise<void> {
    const stuckOn = this.#waits ? this.#questions.stuckOn : [];
    const names = stuckOn.map(({ id }) => id).join(' ');
    if (names === '' || names === this.#toldToBeStuckOn) return;
    this.#toldToBeStuckOn = names;
    this.#say(`asked:${names}`, stuckOn.map(questionInWords).join('\n\n'));
    for await (const { state, resolve } of this.#standing()) if (state.is === 'attached') resolve(endTurn);
  }

  #say(messageId: string, text: string): void {
    this.tell(this.#parts.version.encodeWords(messageId, text));
  }

  /** Answers the prompts that have come to their end, and whose last update is told. */
  async #settle(): Promise<void> {
    for await (const { state, resolve } of this.#standing()) {
      if (state.is === 'retracted') resolve({ type: 'cancelled', by: state.by, reason: 'cancelled' });
      if (state.is !== 'answered' || state.toSeq > this.#at || state.outcome.type === 'waiting') continue;
      resolve(state.outcome);
    }
  }

  /** The prompts that wait, and how their requests stand. */
  async *#standing(): AsyncGenerator<{
    readonly state: Activation['state'];
    readonly resolve: (end: Outcome) => void;
  }> {
    const { gateway, caller } = this.#parts;
    for (const [id, { resolve }] of this.#prompts) {
      const activation = await gateway.findActivation(caller, this.id, id);
      if (activation !== undefined) yield { state: activation.state, resolve };
    }
  }

  /** Resolves at the prompt's own end. @throws Fault as `Gateway.submit`, and what its run failed with */
  async prompt(parts: readonly Part[], name: string | undefined, signal: AbortSignal): Promise<Outcome> {
    const decision = this.#decisionIn(parts);
    if (decision === noAnswer) return endTurn;
    const key = this.#keyOf(name);
    const id = `acp:${key}`;
    const ended = this.#prompts.get(id) ?? deferred<Outcome>();
    this.#prompts.set(id, ended);
    // Whoever rejects it need not be awaited: the request may be refused first.
    ended.promise.catch(() => undefined);
    // Who leaves cancels nothing.
    const stop = (): void => {
      if (Fault.from(signal.reason).code !== 'client-gone') void this.#cancelPrompt(id);
    };
    try {
      const receipt = await this.#inTurn(() => this.#submit(parts, { key, decision }));
      this.#questions.askAgain();
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      if (receipt.was === 'repeated') await this.#settle();
      return await ended.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#prompts.delete(id);
    }
  }

  /** What a prompt says to the questions that this client could not be asked; said to be unclear, nothing is written. */
  #decisionIn(parts: readonly Part[]): TicketAnswer | undefined | typeof noAnswer {
    const stuckOn = this.#waits ? this.#questions.stuckOn : [];
    const [ticket, ...others] = stuckOn;
    if (ticket === undefined) return undefined;
    const answer = others.length > 0 ? undefined : answerInWords(textOf(parts).trim(), ticket);
    if (answer !== undefined) return { ticketId: ticket.id, answer };
    this.#say(randomUUID(), stuckOn.map(questionInWords).join('\n\n'));
    return noAnswer;
  }

  #submit(
    parts: readonly Part[],
    { key, decision, ...rest }: Pick<Submission, 'key'> & Partial<Submission> & { decision?: TicketAnswer | undefined },
  ): Promise<Receipt> {
    const { gateway, caller, card, client, whenBusy } = this.#parts;
    return gateway.submit(caller, {
      threadId: this.id,
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
      attachmentId: client.clientId,
      ...rest,
    });
  }

  /**
   * Puts words into the turn that runs. `started`: there was none, or its agent takes none, and they begin the next.
   * `not-running`: there was none, and they were to go nowhere else.
   */
  steer({
    parts,
    key: name,
    onlyIfRunning,
  }: {
    readonly parts: readonly Part[];
    readonly key: string | undefined;
    readonly onlyIfRunning: boolean;
  }): Promise<'injected' | 'started' | 'not-running'> {
    return this.#inTurn(async () => {
      const { gateway, caller } = this.#parts;
      const key = this.#keyOf(name);
      const known = await gateway.findActivation(caller, this.id, `acp:${key}`);
      if (known !== undefined) return enteredAs(known.received.became);
      for (;;) {
        const { open } = await this.#find();
        const isRunning = open !== undefined && open.phase !== 'stopping' && open.phase !== 'ending';
        if (!isRunning && onlyIfRunning) return 'not-running';
        if (!isRunning) {
          await this.#submit(parts, { key, whenBusy: 'queue' });
          return 'started';
        }
        try {
          const { became } = await this.#submit(parts, { key, whenBusy: 'steer', expectedRunId: open.runId });
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
    const { gateway, caller } = this.#parts;
    this.#questions.cancelled();
    const { runs } = await this.#inTurn(() => gateway.threads.cancel(caller, this.id));
    // A prompt that another's run has taken ends here, and that run goes on.
    for await (const { state, resolve } of this.#standing()) {
      if (state.is !== 'attached' || runs[state.runId] !== undefined) continue;
      resolve({ type: 'cancelled', by: caller.actor, reason: 'cancelled' });
    }
  }

  async #cancelPrompt(id: ActivationId): Promise<void> {
    const { gateway, caller, log } = this.#parts;
    try {
      await this.#inTurn(() => gateway.runs.cancelActivation(caller, this.id, id));
    } catch (thrown) {
      const { code, cause } = Fault.from(thrown);
      if (code === 'internal') log.error({ cause }, 'an ACP prompt could not be cancelled');
      this.#prompts.get(id)?.resolve({ type: 'cancelled', by: caller.actor, reason: 'cancelled' });
    }
  }

  /** Cancels, and resolves when all its prompts have been answered. */
  async close(): Promise<void> {
    await this.cancel();
    await Promise.allSettled([...this.#prompts.values()].map(({ promise }) => promise));
    await this.detach();
  }

  /** Its client is told nothing more; what runs goes on. */
  async detach(): Promise<void> {
    this.#attachment?.[Symbol.dispose]();
    await this.#stopFollowing();
    for (const { reject } of this.#prompts.values()) reject(new Fault('client-gone', 'the session was left'));
  }

  async #stopFollowing(): Promise<void> {
    this.#questions.leave();
    const following = this.#following;
    this.#following = undefined;
    following?.over.abort();
    await following?.done;
  }

  /** Names of requests begin with their client's, by which it knows them when it comes back. */
  #keyOf(name: string | undefined): string {
    return `${this.#parts.client.clientId}/${name ?? randomUUID()}`;
  }

  #own(name: string): ActivationId {
    return `acp:${this.#keyOf(name)}`;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** Words that an idle thread or an agent that takes none was given begin a turn of their own. */
function enteredAs(became: Receipt['became']): 'injected' | 'started' {
  return became === 'pending' ? 'injected' : 'started';
}

/** The last event whose updates were all told. */
function endOf({ seq, frames }: Position): number {
  return frames === allFrames ? seq : seq - 1;
}

export function noSession(id: ThreadId): Fault {
  return new Fault('not-found', `no session has the id ${JSON.stringify(id)}`, { path: 'sessionId' });
}
