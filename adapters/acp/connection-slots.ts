import type { Principal } from '../../schemas/id.ts';
import { Fault } from '../../src/fault.ts';

export interface ConnectionSlotLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerActor: number;
}

/** How many clients are connected, and whose. */
export class ConnectionSlots {
  readonly #limits: ConnectionSlotLimits;
  readonly #taken = new Map<string, number>();
  #inAll = 0;

  constructor(limits: ConnectionSlotLimits) {
    this.#limits = limits;
  }

  /** Returns what gives the slot back; twice is a no-op. @throws Fault `too-many` */
  take({ scope, actor }: Principal): () => void {
    const { maxConnections, maxConnectionsPerActor } = this.#limits;
    const whose = JSON.stringify([scope, actor]);
    const own = this.#taken.get(whose) ?? 0;
    if (own >= maxConnectionsPerActor) throw new Fault('too-many', `you have ${own} connections already`);
    if (this.#inAll >= maxConnections) throw new Fault('too-many', 'the gateway has no connections left');
    this.#add(whose, 1);
    let isTaken = true;
    return () => {
      if (isTaken) this.#add(whose, -1);
      isTaken = false;
    };
  }

  #add(whose: string, by: 1 | -1): void {
    this.#inAll += by;
    const own = (this.#taken.get(whose) ?? 0) + by;
    if (own === 0) this.#taken.delete(whose);
    else this.#taken.set(whose, own);
  }
}
