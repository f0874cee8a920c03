import { PassThrough, Readable, Writable } from 'node:stream';
import { ndJsonStream, type Stream } from '@agentclientprotocol/sdk';
import { Bridge, type BridgeParts } from '../../adapters/acp/bridge.ts';
import type { Channel, PausableChannel, Receiver } from '../../adapters/acp/channel.ts';
import { LinesChannel } from '../../adapters/acp/lines.ts';
import { systemClock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import { KeptLog } from './acp-channel.ts';

export interface Carried {
  readonly to: 'gateway' | 'bridge';
  readonly message: { readonly id?: unknown; readonly method?: string; readonly params?: unknown };
}

/** What the network does before it carries a message: `cut` loses it, and all that is on its way. */
type Fate = 'carry' | 'cut' | 'cut after';

/** The network between a bridge and a gateway, in the test's hand. One message is carried at a time. */
export class Link {
  readonly carried: Carried[] = [];
  dials = 0;
  /** Undefined: it is up. */
  refusal: Fault | undefined;
  fate: (next: Carried) => Fate = () => 'carry';
  readonly #serve: (channel: Channel) => void;
  #wire: Wire | undefined;

  constructor(serve: (channel: Channel) => void) {
    this.#serve = serve;
  }

  readonly dial = async (): Promise<PausableChannel> => {
    this.dials += 1;
    if (this.refusal !== undefined) throw this.refusal;
    const wire = new Wire((next) => this.#carry(next));
    this.#wire = wire;
    this.#serve(wire.gateway);
    return wire.bridge;
  };

  get isPaused(): boolean {
    return this.#wire?.isPaused === true;
  }

  #carry(next: Carried): Fate {
    const fate = this.fate(next);
    if (fate !== 'cut') this.carried.push(next);
    return fate;
  }

  cut(): void {
    this.#wire?.cut();
  }

  /** Cut, and not to be had again. */
  goDown(refusal = new Fault('upstream-failed', 'the network is down')): void {
    this.refusal = refusal;
    this.cut();
  }

  comeBack(): void {
    this.refusal = undefined;
  }

  /** How often a method was carried to that side. */
  count(to: Carried['to'], method: string): number {
    return this.carried.filter((one) => one.to === to && one.message.method === method).length;
  }
}

class Wire {
  readonly gateway = new WireEnd(this, 'gateway');
  readonly bridge = new WireEnd(this, 'bridge');
  readonly #carry: (next: Carried) => Fate;
  readonly #queue: { readonly to: WireEnd; readonly text: string }[] = [];
  isPaused = false;
  #isCut = false;
  #isCarrying = false;

  constructor(carry: (next: Carried) => Fate) {
    this.#carry = carry;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  send(from: WireEnd, text: string): void {
    if (this.#isCut) return;
    this.#queue.push({ to: from === this.gateway ? this.bridge : this.gateway, text });
    this.run();
  }

  run(): void {
    if (this.#isCarrying) return;
    this.#isCarrying = true;
    setImmediate(() => {
      this.#isCarrying = false;
      const index = this.#queue.findIndex(({ to }) => !(this.isPaused && to === this.bridge));
      const [next] = index < 0 ? [] : this.#queue.splice(index, 1);
      if (next === undefined || this.#isCut) return;
      const message = JSON.parse(next.text) as Carried['message'];
      const fate = this.#carry({ to: next.to.side, message });
      if (fate === 'cut') this.cut();
      else next.to.receiver?.message(message);
      if (fate === 'cut after') this.cut();
      else this.run();
    });
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.gateway.receiver?.closed();
    this.bridge.receiver?.closed();
  }
}

class WireEnd implements PausableChannel {
  readonly side: Carried['to'];
  receiver: Receiver | undefined;
  readonly #wire: Wire;

  constructor(wire: Wire, side: Carried['to']) {
    this.#wire = wire;
    this.side = side;
  }

  open(receiver: Receiver): void {
    this.receiver = receiver;
    // As a socket that broke before anybody listened.
    if (this.#wire.isCut) setImmediate(() => receiver.closed());
  }

  send(message: object): void {
    this.#wire.send(this, JSON.stringify(message));
  }

  room(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#wire.cut();
  }

  pause(): void {
    this.#wire.isPaused = true;
  }

  resume(): void {
    this.#wire.isPaused = false;
    this.#wire.run();
  }
}

export interface BridgedIde {
  readonly bridge: Bridge;
  readonly log: KeptLog;
  /** The IDE's end. */
  readonly stream: Stream;
  /** The IDE reads nothing until it is released. */
  readonly hold: () => void;
  readonly release: () => void;
  /** The IDE goes away. */
  readonly leave: () => void;
}

/** A bridge over that link, and the streams of its IDE. */
export function bridgeOver(link: Link, change: Partial<BridgeParts> = {}): BridgedIde {
  const up = new PassThrough();
  let held: (() => void)[] | undefined;
  const down = new PassThrough({
    transform: (chunk, _, done) => {
      const pass = (): void => {
        done(null, chunk);
      };
      if (held === undefined) pass();
      else held.push(pass);
    },
  });
  const log = new KeptLog();
  const channel = new LinesChannel({ input: up, output: down, clock: systemClock });
  const waits = { firstBackoffMs: 1, longestBackoffMs: 4, answerMs: 5000 };
  const bridge = new Bridge({ channel, dial: link.dial, clock: systemClock, log, ...waits, ...change });
  const stream = ndJsonStream(Writable.toWeb(up), Readable.toWeb(down) as ReadableStream<Uint8Array>);
  return {
    bridge,
    log,
    stream,
    hold: () => {
      held = [];
    },
    release: () => {
      const waiting = held ?? [];
      held = undefined;
      for (const pass of waiting) pass();
    },
    leave: () => up.end(),
  };
}
