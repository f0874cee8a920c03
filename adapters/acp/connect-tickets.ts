import { createHash, randomBytes } from 'node:crypto';
import type { Principal } from '../../schemas/id.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';

export interface ConnectTicketLimits {
  /** How long a ticket may be used. */
  readonly connectTicketMs: number;
  readonly maxConnectTicketsPerActor: number;
}

interface Sold {
  readonly principal: Principal;
  readonly expiresAtMs: number;
}

/** Tickets with which browsers connect, who cannot set headers on a WebSocket: each is good once, and soon for nothing. */
export class ConnectTickets {
  readonly #clock: Clock;
  readonly #limits: ConnectTicketLimits;
  /** By digest, the oldest first: it takes no longer to guess at one ticket than at another. */
  readonly #sold = new Map<string, Sold>();

  constructor(clock: Clock, limits: ConnectTicketLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** @throws Fault `too-many` */
  sell(principal: Principal): { readonly ticket: string; readonly expiresAtMs: number } {
    this.#forgetExpired();
    const { connectTicketMs, maxConnectTicketsPerActor } = this.#limits;
    const own = [...this.#sold.values()].filter((sold) => isSame(sold.principal, principal)).length;
    if (own >= maxConnectTicketsPerActor) throw new Fault('too-many', `you hold ${own} tickets that were not used`);
    const ticket = randomBytes(32).toString('base64url');
    const expiresAtMs = this.#clock.now() + connectTicketMs;
    this.#sold.set(digestOf(ticket), { principal, expiresAtMs });
    return { ticket, expiresAtMs };
  }

  /** Who bought it. @throws Fault `unauthenticated` */
  redeem(ticket: string): Principal {
    this.#forgetExpired();
    const digest = digestOf(ticket);
    const sold = this.#sold.get(digest);
    this.#sold.delete(digest);
    if (sold === undefined) throw new Fault('unauthenticated', 'the ticket was used, has expired, or never was one');
    return sold.principal;
  }

  #forgetExpired(): void {
    const nowMs = this.#clock.now();
    for (const [digest, { expiresAtMs }] of this.#sold) {
      if (expiresAtMs > nowMs) return;
      this.#sold.delete(digest);
    }
  }
}

function isSame(a: Principal, b: Principal): boolean {
  return a.scope === b.scope && a.actor === b.actor;
}

function digestOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64');
}
