import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import type { Pusher } from '../../src/gateway.ts';
import { pushRules } from '../../src/mailbox/mailbox.ts';
import type { PushPorts } from '../../src/mailbox/outbox.ts';
import type { PushMessage, PushSender, Sent } from '../../src/push/sender.ts';

/** Tells each event by its number and type, as a request of its own. */
export const plainPusher: Pusher = {
  tokenHeader: 'X-Token',
  encodePush: async (_, events) =>
    events.map(({ seq, type }) => ({ headers: { 'Content-Type': 'text/plain' }, body: `${seq} ${type}`, upTo: seq })),
};

export const accepted: Sent = { is: 'accepted' };

export function refusedWith(status: number, more: Partial<Sent & { is: 'failed' }> = {}): Sent {
  const fault = new Fault('upstream-failed', `the receiver answered ${status}`).toRecord();
  return { is: 'failed', fault, final: false, retryAfterMs: undefined, ...more };
}

/** Receivers in this process. Each request gets the next of the answers, and once there are no more it is accepted. */
export class FakeWebhooks implements PushSender {
  readonly received: PushMessage[] = [];
  /** Requests whose answers were taken. */
  answers: (Sent | Promise<Sent>)[] = [];
  atOnce = 0;
  mostAtOnce = 0;

  check(url: string): void {
    if (url.includes('refused')) throw new Fault('invalid-request', 'not there', { path: 'target.url' });
  }

  async send(message: PushMessage, signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    this.received.push(message);
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    const { promise: aborted, reject } = deferred<never>();
    const abort = (): void => {
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort);
    try {
      return await Promise.race([this.answers.shift() ?? accepted, aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
      this.atOnce -= 1;
    }
  }

  /** The bodies, in the order in which they came. */
  get bodies(): string[] {
    return this.received.map(({ body }) => body);
  }

  ports(change: Partial<PushPorts> = {}): PushPorts {
    return { sender: this, pushers: { control: plainPusher }, rules: pushRules, maxSending: 8, ...change };
  }
}
