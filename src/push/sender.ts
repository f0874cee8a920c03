import type { FaultRecord } from '../../schemas/fault.ts';

/** One request to a receiver. */
export interface PushMessage {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What became of one. */
export type Sent =
  | { readonly is: 'accepted' }
  /** `final`: it would fail again. `retryAfterMs`: how long the receiver asked to be left alone. */
  | {
      readonly is: 'failed';
      readonly fault: FaultRecord;
      readonly final: boolean;
      readonly retryAfterMs: number | undefined;
    };

/** Brings requests to the webhooks of subscriptions. */
export interface PushSender {
  /** Whether a subscription to this URL could ever be sent to. @throws Fault `invalid-request` */
  check(url: string): void;
  /**
   * Sends one request, once. Resolves with what became of it, within a bounded time; says nothing of the target.
   * @throws the signal's reason, when aborted
   */
  send(message: PushMessage, signal: AbortSignal): Promise<Sent>;
}
