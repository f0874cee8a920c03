import type { TicketId } from '../../schemas/id.ts';
import type { Answer } from '../../schemas/ticket.ts';
import type { Log } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import type { JsonRpcPeer } from './peer.ts';
import { RpcError } from './peer.ts';
import type { Asked, AskedQuestion } from './version.ts';

export interface QuestionsAskedParts {
  readonly peer: Pick<JsonRpcPeer, 'request' | 'notify'>;
  readonly log: Log;
  /** Undefined: this client cannot be asked that. `problem`: what was wrong with the answer before. */
  readonly encode: (ticket: Asked, problem: string | undefined) => AskedQuestion | undefined;
  /** @throws Fault as `Tickets.decide` */
  readonly decide: (id: TicketId, answer: Answer) => Promise<void>;
  /** Told when a question turned out to be one that this client cannot be asked. */
  readonly onUnaskable: () => void;
}

/** A client that keeps sending what its form does not allow is not asked for ever. */
const maxTries = 10;
/** `$/cancel_request` was heeded: the client gave no answer. https://agentclientprotocol.com/protocol/v1/cancellation */
const requestCancelled = -32800;

interface OpenQuestion {
  readonly ticket: Asked;
  readonly over: AbortController;
  /** How it was put to the client last. */
  asked?: AskedQuestion;
  /** `unanswered`: the client was asked and gave no answer; it may be asked again. */
  is: 'asked' | 'unanswered' | 'unaskable';
}

/** The open questions of a session's run, each put to its client until something comes of it. */
export class QuestionsAsked {
  readonly #parts: QuestionsAskedParts;
  readonly #open = new Map<TicketId, OpenQuestion>();
  /** How often the client cancelled its session's work. */
  #cancels = 0;

  constructor(parts: QuestionsAskedParts) {
    this.#parts = parts;
  }

  /** What waits for an answer in words, or from elsewhere, with nothing else left to ask; empty while there is. */
  get stuckOn(): readonly Asked[] {
    const open = [...this.#open.values()];
    return open.every(({ is }) => is === 'unaskable') ? open.map(({ ticket }) => ticket) : [];
  }

  add(ticket: Asked): void {
    if (this.#open.has(ticket.id)) return;
    const question: OpenQuestion = { ticket, over: new AbortController(), is: 'asked' };
    this.#open.set(ticket.id, question);
    void this.#ask(question);
  }

  /** Asks again what the client was asked and did not answer. */
  askAgain(): void {
    for (const question of this.#open.values()) {
      if (question.is !== 'unanswered') continue;
      question.is = 'asked';
      void this.#ask(question);
    }
  }

  /** Somebody answered it, or nobody will. Whether it was open here. */
  close(id: TicketId): boolean {
    const question = this.#open.get(id);
    if (question === undefined) return false;
    this.#open.delete(id);
    question.over.abort();
    this.#tellClosed(question.asked);
    return true;
  }

  /** Its client may have been asked it on an earlier connection; of what it was not asked it heeds nothing. */
  closedBefore(ticket: Asked): void {
    this.#tellClosed(this.#parts.encode(ticket, undefined));
  }

  #tellClosed({ closing }: Pick<AskedQuestion, 'closing'> = {}): void {
    if (closing !== undefined) this.#parts.peer.notify(closing.method, closing.params);
  }

  /** Its client is asked nothing more, and told nothing either. */
  leave(): void {
    for (const { over } of this.#open.values()) over.abort();
    this.#open.clear();
  }

  /** By the protocol's law the client now answers what it was asked with `cancelled`, which then says nothing. */
  cancelled(): void {
    this.#cancels += 1;
  }

  /** Never rejects. */
  async #ask(question: OpenQuestion): Promise<void> {
    const { log, onUnaskable } = this.#parts;
    try {
      question.is = await this.#putTo(question);
    } catch (thrown) {
      question.is = 'unanswered';
      log.error({ ticket: question.ticket.id, cause: thrown }, 'a question could not be asked over ACP');
    }
    if (question.is === 'unaskable' && !question.over.signal.aborted) onUnaskable();
  }

  async #putTo(question: OpenQuestion): Promise<OpenQuestion['is']> {
    const { ticket, over } = question;
    const { signal } = over;
    let problem: string | undefined;
    for (let tries = 0; tries < maxTries; tries++) {
      const asked = this.#parts.encode(ticket, problem);
      if (asked === undefined) return 'unaskable';
      question.asked = asked;
      const cancels = this.#cancels;
      const result = await this.#request(asked, signal);
      if (result === 'none') return 'unanswered';
      if (result === 'refused') return 'unaskable';
      try {
        const answer = asked.decode(result.value);
        if (answer === undefined || signal.aborted) return 'unanswered';
        if (answer.type === 'dismiss' && cancels !== this.#cancels) return 'unanswered';
        await this.#parts.decide(ticket.id, answer);
        return 'asked';
      } catch (thrown) {
        const { code, message } = Fault.from(thrown);
        if (code !== 'invalid-answer') return this.#lateOr(thrown);
        problem = message;
      }
    }
    return 'unaskable';
  }

  async #request(
    { method, params }: AskedQuestion,
    signal: AbortSignal,
  ): Promise<{ readonly value: unknown } | 'none' | 'refused'> {
    const { peer, log } = this.#parts;
    try {
      return { value: await peer.request(method, params, { signal }) };
    } catch (thrown) {
      if (signal.aborted || Fault.from(thrown).code === 'client-gone') return 'none';
      if (thrown instanceof RpcError && thrown.code === requestCancelled) return 'none';
      log.warn({ method, error: thrown }, 'an ACP client refused a question');
      return 'refused';
    }
  }

  /** An answer that came too late is no failure: its question is closed already, or will be. */
  #lateOr(thrown: unknown): OpenQuestion['is'] {
    const { code } = Fault.from(thrown);
    if (code === 'decision-conflict' || code === 'run-ended' || code === 'not-found') return 'unanswered';
    throw thrown;
  }
}
