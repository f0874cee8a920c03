import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Principal } from '../../schemas/id.ts';
import type { Clock } from '../../src/clock.ts';

interface HttpConnectionParts {
  readonly id: string;
  readonly principal: Principal;
  readonly agent: AgentCard;
  readonly clock: Clock;
  readonly idleMs: number;
  /** Nobody has used it for `idleMs`. */
  readonly idle: () => void;
  /** It is over. */
  readonly release: () => void;
}

/**
 * A client over streamable HTTP, as far as it lies between its requests: whose it is, and whether it still comes back.
 *
 * - `open`: in use, or idle for a while at most
 * - `over`: entered by `end`, for good
 */
export class HttpConnection {
  readonly id: string;
  readonly #parts: HttpConnectionParts;
  #uses = 0;
  #state: 'open' | 'over' = 'open';
  #cancelIdle: () => void = () => undefined;

  constructor(parts: HttpConnectionParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.#rest();
  }

  /** Whether it was opened by this caller, to this agent. */
  belongsTo(principal: Principal, agent: AgentCard): boolean {
    const own = this.#parts;
    return (
      own.principal.scope === principal.scope && own.principal.actor === principal.actor && own.agent.id === agent.id
    );
  }

  /** It is not idle while `work` lasts: a request, or a stream. */
  async use(work: () => Promise<void>): Promise<void> {
    this.#uses++;
    this.#cancelIdle();
    try {
      await work();
    } finally {
      this.#uses--;
      if (this.#uses === 0 && this.#state === 'open') this.#rest();
    }
  }

  end(): void {
    this.#state = 'over';
    this.#cancelIdle();
    this.#parts.release();
  }

  #rest(): void {
    const { clock, idleMs } = this.#parts;
    this.#waitUntil(clock.now() + idleMs);
  }

  /** A clock may ring before a time that is far ahead. */
  #waitUntil(atMs: number): void {
    const { clock, idle } = this.#parts;
    this.#cancelIdle = clock.at(atMs, () => {
      if (clock.now() < atMs) this.#waitUntil(atMs);
      else idle();
    });
  }
}
