import { PassThrough } from 'node:stream';
import { setImmediate as nextTick } from 'node:timers/promises';
import type { Channel, Receiver } from '../../adapters/acp/channel.ts';
import type { PeerHandler, Reply } from '../../adapters/acp/peer.ts';
import type { Log } from '../../src/adapter.ts';

/** A channel in the test's hand: what the peer sent, and what it is to hear. */
export class HeldChannel implements Channel {
  readonly sent: object[] = [];
  closes = 0;
  #receiver: Receiver | undefined;

  open(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  send(message: object): void {
    this.sent.push(JSON.parse(JSON.stringify(message)) as object);
  }

  room(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.closes++;
    this.#receiver?.closed();
  }

  get receiver(): Receiver {
    if (this.#receiver === undefined) throw new Error('the channel was not opened');
    return this.#receiver;
  }

  hear(...values: readonly unknown[]): void {
    for (const value of values) this.receiver.message(value);
  }
}

type Answer = (params: unknown, call: Parameters<PeerHandler['request']>[2]) => Promise<Reply> | Reply;

/** Keeps what it is told, in order, and answers by method. */
export class KeepingHandler implements PeerHandler {
  readonly heard: unknown[] = [];
  readonly ends: unknown[] = [];
  readonly #answers: Readonly<Record<string, Answer>>;

  constructor(answers: Readonly<Record<string, Answer>> = {}) {
    this.#answers = answers;
  }

  request(method: string, params: unknown, call: Parameters<PeerHandler['request']>[2]): Promise<Reply> | Reply {
    const answer = Object.hasOwn(this.#answers, method) ? this.#answers[method] : undefined;
    return answer === undefined ? { result: { method, params } } : answer(params, call);
  }

  notification(method: string, params: unknown): void {
    this.heard.push(params ?? method);
  }

  closed(error?: unknown): void {
    this.ends.push(error);
  }
}

/** A log that keeps its lines. */
export class KeptLog implements Log {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] = [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', fields, message });
  }

  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
}

export interface StreamEnd {
  readonly input: PassThrough;
  readonly output: PassThrough;
}

/** Two ends of one connection of bytes. */
export function pipes(): readonly [StreamEnd, StreamEnd] {
  const [there, back] = [new PassThrough(), new PassThrough()];
  return [
    { input: there, output: back },
    { input: back, output: there },
  ];
}

/** Lets everything that is ready to run do so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTick();
}
