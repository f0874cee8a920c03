import type { JsonRpcPeer } from './peer.ts';
import { RpcError } from './peer.ts';
import { asObject } from './meta.ts';

interface Question {
  readonly sessionId: unknown;
  readonly answer: Promise<unknown>;
  readonly over: AbortController;
  /** The connection that has been given the answer. */
  answeredOn: JsonRpcPeer | undefined;
}

export interface AskedByGateway {
  readonly ticket: string;
  readonly method: string;
  readonly params: unknown;
  readonly from: JsonRpcPeer;
  /** Aborted when the gateway withdraws it, or is gone. */
  readonly signal: AbortSignal;
}

/** Questions that an IDE is being asked, each once, however often a gateway comes back and asks. */
export class BridgedQuestions {
  readonly #ide: JsonRpcPeer;
  readonly #questions = new Map<string, Question>();

  constructor(ide: JsonRpcPeer) {
    this.#ide = ide;
  }

  /** The IDE's answer, as it answered or as it does now. */
  async ask(asked: AskedByGateway): Promise<unknown> {
    const { ticket, from, signal } = asked;
    const known = this.#questions.get(ticket);
    // Asked again by whom it was answered, it is asked because of that answer.
    const question = known === undefined || known.answeredOn === from ? this.#begin(asked) : known;
    const withdrawn = (): void => {
      if (signal.reason instanceof RpcError) this.#end(ticket, question);
    };
    signal.addEventListener('abort', withdrawn);
    try {
      return await question.answer;
    } finally {
      // An error too: asked again after it, the IDE is asked again.
      question.answeredOn = from;
      signal.removeEventListener('abort', withdrawn);
    }
  }

  #begin({ ticket, method, params }: AskedByGateway): Question {
    const over = new AbortController();
    const answer = this.#ide.request(method, params, { signal: over.signal });
    // Nobody may be waiting for it when the IDE refuses or leaves.
    answer.catch(() => undefined);
    const question = { sessionId: asObject(params)['sessionId'], answer, over, answeredOn: undefined };
    this.#questions.set(ticket, question);
    return question;
  }

  #end(ticket: string, question: Question): void {
    question.over.abort();
    if (this.#questions.get(ticket) === question) this.#questions.delete(ticket);
  }

  /** Withdraws what a session no longer waits for: it was closed while the gateway was away. */
  keepOnly(sessionId: string, tickets: readonly unknown[]): void {
    for (const [ticket, question] of this.#questions) {
      if (question.sessionId === sessionId && !tickets.includes(ticket)) this.#end(ticket, question);
    }
  }

  /**
   * By the protocol's law the IDE now answers what it is asked with `cancelled`, which says nothing of the question. A
   * gateway that comes back does not know of the cancel, and is not given that answer.
   */
  cancelled(sessionId: string): void {
    for (const [ticket, question] of this.#questions) {
      if (question.sessionId !== sessionId) continue;
      const forget = (): void => {
        if (this.#questions.get(ticket) === question) this.#questions.delete(ticket);
      };
      question.answer.then(forget, forget);
    }
  }

  /** Of answers that a gateway has acted on nothing need be known. */
  forgetAnswered(sessionId: unknown): void {
    for (const [ticket, question] of this.#questions) {
      if (question.sessionId === sessionId && question.answeredOn !== undefined) this.#questions.delete(ticket);
    }
  }
}
