import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Principal } from '../../schemas/id.ts';
import type { Log } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';

/** Whole JSON-RPC messages each way. A write resolves when there is room for more; the end of `readable` is the client's. */
export interface MessageStream {
  readonly readable: ReadableStream<unknown>;
  readonly writable: WritableStream<object>;
}

/** Who has connected, and to what. */
export interface ConnectedFrom {
  readonly principal: Principal;
  readonly agent: AgentCard;
  readonly log: Log;
}

/** A client behind the door. */
export interface Visit {
  /** Resolves when it was welcomed: its `initialize` succeeded. Stays pending for one that never is. */
  readonly initialized: Promise<void>;
  /** Settles when either side has ended the stream. */
  readonly closed: Promise<void>;
}

/** Where connections lead, whatever brought them. */
export interface AcpDoor {
  /**
   * Serves one client, until either side ends its stream. When the gateway stops, connections end by themselves once they
   * have said what is left to say.
   */
  connect(stream: MessageStream, from: ConnectedFrom): Visit;
}

/** A client's place behind the door, as the SDK takes it. Nothing that is thrown there is told: the SDK would quote it. */
export class DoorConnection {
  readonly #door: AcpDoor;
  readonly #from: ConnectedFrom;
  readonly #began: (closed: Promise<void>) => void;
  #visit: Visit | undefined;

  /** `began`: told of the end of the connection, when it begins. */
  constructor(door: AcpDoor, from: ConnectedFrom, began: (closed: Promise<void>) => void) {
    this.#door = door;
    this.#from = from;
    this.#began = began;
  }

  /** Resolves when it has ended; undefined: it has not begun. */
  get closed(): Promise<void> | undefined {
    return this.#visit?.closed;
  }

  /** Once it has begun: calls `late` once, unless it was initialized, or has ended, within `ms`. */
  expectInitialize(clock: Clock, ms: number, late: () => void): void {
    const cancel = clock.at(clock.now() + ms, late);
    void Promise.race([this.#visit?.initialized, this.#visit?.closed]).then(cancel);
  }

  connect({ readable, writable }: MessageStream): { readonly closed: Promise<void> } {
    try {
      const { initialized, closed: ended } = this.#door.connect(
        { readable: withoutReasons(readable), writable },
        this.#from,
      );
      const closed = ended.catch((error: unknown) => this.#report(error));
      this.#visit = { initialized, closed };
      this.#began(closed);
      return { closed };
    } catch (error) {
      this.#report(error);
      throw new Error('the agent cannot be reached', { cause: error });
    }
  }

  #report(error: unknown): void {
    this.#from.log.error({ error }, 'an ACP connection failed');
  }
}

/** The same stream; a reader that cancels it keeps the reason to itself. */
function withoutReasons(readable: ReadableStream<unknown>): ReadableStream<unknown> {
  const reader = readable.getReader();
  return new ReadableStream<unknown>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => reader.cancel(),
    },
    { highWaterMark: 0 },
  );
}
