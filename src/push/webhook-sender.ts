import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import type { Clock } from '../clock.ts';
import { Fault } from '../fault.ts';
import { AddressGuard, type AddressGuardOptions } from './address-guard.ts';
import type { PushMessage, PushSender, Sent } from './sender.ts';

export interface WebhookSenderOptions extends AddressGuardOptions {
  readonly clock: Clock;
  /** How long a receiver has to answer, its name's resolution and the connection included. */
  readonly timeoutMs?: number;
  /** How much of an answer is read before the connection is cut; what it says does not matter. */
  readonly maxAnswerBytes?: number;
}

/**
 * Sends over HTTP to addresses that its guard lets pass. The address that was checked is the one that is connected to, no
 * redirect is followed and no connection is kept, so no later answer of a name server can lead elsewhere.
 *
 * An answer of 2xx is a delivery. 410 says that nobody is there any more, and an address that is refused stays refused:
 * both are final. All else may pass, 404 too, which is what a receiver answers while it is being deployed.
 */
export class WebhookSender implements PushSender {
  readonly #guard: AddressGuard;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #maxAnswerBytes: number;
  readonly #lookup: LookupFunction;

  constructor({ clock, timeoutMs = 15_000, maxAnswerBytes = 65_536, ...guard }: WebhookSenderOptions) {
    this.#guard = new AddressGuard(guard);
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#maxAnswerBytes = maxAnswerBytes;
    const find = callbackify((hostname: string) => this.#guard.addressesOf(hostname));
    this.#lookup = (hostname, { all }, callback) => {
      find(hostname, (error, addresses) => {
        if (error !== null) callback(error, '');
        else if (all === true) callback(null, addresses);
        else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
      });
    };
  }

  check(url: string): void {
    const problem = this.#problemWith(url);
    if (problem !== undefined) throw new Fault('invalid-request', problem, { path: 'target.url' });
  }

  #problemWith(text: string): string | undefined {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
      return 'the receiver’s URL is not one of http or https';
    // Connecting to an address asks no name server, and so none of what `lookup` checks.
    return this.#guard.mayTry(url.hostname) ? undefined : 'the receiver’s address is not a public one';
  }

  async send(message: PushMessage, signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const problem = this.#problemWith(message.url);
    if (problem !== undefined) return refused(problem);
    const over = new AbortController();
    const abort = (): void => {
      over.abort(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(() => {
      over.abort(timedOut);
    }, this.#timeoutMs);
    try {
      return this.#judge(await this.#request(message, over.signal));
    } catch (error) {
      signal.throwIfAborted();
      return over.signal.aborted ? failed(timedOut.message) : judgeError(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  /** Resolves with the head of the answer. */
  #request({ url, headers, body }: PushMessage, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options: RequestOptions = {
        method: 'POST',
        headers: { ...headers, 'user-agent': 'anyport', 'content-length': Buffer.byteLength(body) },
        agent: false,
        lookup: this.#lookup,
        signal,
      };
      const request = new URL(url).protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
      request.on('error', reject);
      request.on('response', (answer) => {
        this.#drain(answer);
        resolve(answer);
      });
      request.end(body);
    });
  }

  /** Lets a receiver say its answer to the end, unless that is much or takes long. */
  #drain(answer: IncomingMessage): void {
    let bytes = 0;
    const timer = setTimeout(() => answer.destroy(), this.#timeoutMs).unref();
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > this.#maxAnswerBytes) answer.destroy();
    });
    answer.on('error', () => undefined);
    answer.on('close', () => {
      clearTimeout(timer);
    });
    answer.socket.unref();
  }

  #judge({ statusCode = 0, headers }: IncomingMessage): Sent {
    if (statusCode >= 200 && statusCode < 300) return { is: 'accepted' };
    const said = `the receiver answered ${statusCode}`;
    if (statusCode === 410) return { ...failed(said, false), final: true };
    return { ...failed(said), retryAfterMs: this.#retryAfterMs(headers['retry-after']) };
  }

  /** Seconds or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
  #retryAfterMs(value: string | undefined): number | undefined {
    if (value === undefined) return undefined;
    const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - this.#clock.now();
    return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
  }
}

const timedOut = new Fault('timeout', 'the receiver did not answer in time');

function judgeError(error: unknown): Sent {
  if (error instanceof Fault) return refused(error.message);
  const { code = 'unknown' } = error as { readonly code?: string };
  if (code === 'ERR_INVALID_CHAR' || code === 'ERR_INVALID_HTTP_TOKEN') return refused('a header is not allowed');
  return failed(`the receiver could not be reached (${code})`);
}

/** It would be again. */
function refused(why: string): Sent {
  const fault = new Fault('forbidden', why).toRecord();
  return { is: 'failed', fault, final: true, retryAfterMs: undefined };
}

function failed(why: string, retryable = true): Sent & { readonly is: 'failed' } {
  const fault = new Fault('upstream-failed', why, { retryable }).toRecord();
  return { is: 'failed', fault, final: false, retryAfterMs: undefined };
}
