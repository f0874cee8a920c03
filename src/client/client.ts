import type { Activation } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type {
  QueueEdit,
  QueueEntry,
  RunInput,
  RunReceipt,
  RunReport,
  RunSubmission,
  ShownTicket,
  StopReport,
  ThreadFork,
  ThreadInput,
  ThreadPatch,
  ThreadStatus,
} from '../../schemas/control.ts';
import type { ActivationId, AgentId, MessageId, RunId, ThreadId, TicketId } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { DeadWebhook, DeadWebhookId } from '../../schemas/subscription.ts';
import type { Thread } from '../../schemas/thread.ts';
import type { Answer } from '../../schemas/ticket.ts';
import { type Clock, systemClock } from '../clock.ts';
import { Fault } from '../fault.ts';
import type { Backoff } from './backoff.ts';
import { type Call, Connection, type ConnectionOptions } from './connection.ts';
import { follow, type Followed, type FollowedEvent, type FollowOptions } from './follow.ts';
import { waitForRun, type WaitOptions } from './wait.ts';

export interface AnyportClientOptions {
  /** Where the gateway is, without `/v1`. */
  readonly url: string;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
  readonly fetch?: ConnectionOptions['fetch'];
  readonly clock?: Clock;
  /** Of requests that meet no gateway, or a 429 or 503. By default five attempts over about four seconds. */
  readonly retry?: Partial<Backoff>;
  /** Of streams and waits once they are there, which outlive restarts: counted since they last got anywhere. By default about 90 seconds. */
  readonly reconnect?: Partial<Backoff>;
  /** A stream without even a comment for this long is cut and opened again. By default a minute. */
  readonly silenceMs?: number;
  /** Ends the requests that have no signal of their own. */
  readonly signal?: AbortSignal | undefined;
}

/** A part of a list, newest first. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** The `cursor` of the next part; absent: this was the last one. */
  readonly next?: string;
}

export interface PageRequest {
  /** A `next` of the same list. */
  readonly cursor?: string | undefined;
  /** 1 to 200; 50 if absent. */
  readonly limit?: number | undefined;
}

export interface RunFilter extends PageRequest {
  /** `dead`: failed for good, and neither redriven nor discarded. */
  readonly status?: Run['status'] | 'dead' | undefined;
  readonly threadId?: ThreadId | undefined;
  readonly agentId?: AgentId | undefined;
}

export interface TicketFilter extends PageRequest {
  /** `open` if absent. */
  readonly state?: 'open' | 'closed' | 'all' | undefined;
  readonly threadId?: ThreadId | undefined;
  readonly runId?: RunId | undefined;
}

/** How a request stands, without what tells its repetition. */
export type ShownActivation = Omit<Activation, 'digest'>;

/** What names a submission. The same again gets the same receipt; absent: a new name. */
export interface SubmitOptions {
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Query = Call['query'];

const requestBackoff: Backoff = { attempts: 5, firstMs: 250, capMs: 5_000 };
const reconnectBackoff: Backoff = { attempts: 25, firstMs: 250, capMs: 5_000 };

/**
 * The gateway's control API. Every method throws a `Fault` with the gateway's code, or `upstream-failed` when there is no
 * connection. What is lost on the way is sent again where that does no more than sending it once.
 */
export class AnyportClient {
  readonly #connection: Connection;
  readonly #retry: Backoff;
  readonly #reconnect: Backoff;
  readonly #silenceMs: number;

  /** @throws Fault `config-invalid` for a URL that is none */
  constructor(options: AnyportClientOptions) {
    const { url, token, signal, clock = systemClock, silenceMs = 60_000 } = options;
    // A browser's `fetch` must be called on its window.
    const { fetch = (input, init) => globalThis.fetch(input, init) } = options;
    this.#connection = new Connection({ url, token, fetch, clock, signal });
    this.#retry = { ...requestBackoff, ...options.retry };
    this.#reconnect = { ...reconnectBackoff, ...options.reconnect };
    this.#silenceMs = silenceMs;
  }

  async agents(): Promise<readonly AgentCard[]> {
    return (await this.#get<Page<AgentCard>>(['agents'])).items;
  }

  agent(id: AgentId): Promise<AgentCard> {
    return this.#get(['agents', id]);
  }

  /** Resolves when the gateway has it for good. */
  submit(submission: RunSubmission, options: SubmitOptions = {}): Promise<RunReceipt> {
    return this.#submit(['runs'], submission, options);
  }

  /** New input for one run: taken into its turn, or continuing it when the turn ends first. */
  sendInput(id: RunId, input: RunInput, options: SubmitOptions = {}): Promise<RunReceipt> {
    return this.#submit(['runs', id, 'input'], input, options);
  }

  run(id: RunId): Promise<RunReport> {
    return this.#get(['runs', id]);
  }

  runs(filter: RunFilter = {}): Promise<Page<Run>> {
    return this.#get(['runs'], { ...filter });
  }

  waitForRun(id: RunId, options: WaitOptions = {}): Promise<RunReport> {
    return waitForRun(this.#connection, id, { ...options, retry: this.#retry, reconnect: this.#reconnect });
  }

  /** Twice is a no-op that says how it stands. */
  cancelRun(id: RunId): Promise<StopReport> {
    return this.#send('POST', ['runs', id, 'cancel']);
  }

  /**
   * Events as they happen, each once and in order, also over cuts and restarts of the gateway. Ends after the end of a
   * run, or when `signal` is aborted. @throws Fault `cursor-expired`: begin from a newer view
   */
  follow(followed: Followed, options: FollowOptions = {}): AsyncGenerator<FollowedEvent, void, undefined> {
    const terms = { retry: this.#retry, reconnect: this.#reconnect, silenceMs: this.#silenceMs };
    return follow(this.#connection, followed, { ...options, ...terms });
  }

  threads(filter: PageRequest & { readonly contextId?: string | undefined } = {}): Promise<Page<Thread>> {
    return this.#get(['threads'], { ...filter });
  }

  thread(id: ThreadId): Promise<ThreadStatus> {
    return this.#get(['threads', id]);
  }

  /** One that is there already, made of the same, is found. */
  createThread(input: ThreadInput = {}): Promise<ThreadStatus> {
    return this.#send('POST', ['threads'], { body: { id: crypto.randomUUID(), ...input } });
  }

  patchThread(id: ThreadId, patch: ThreadPatch): Promise<ThreadStatus> {
    return this.#send('PATCH', ['threads', id], { body: patch });
  }

  forkThread(id: ThreadId, fork: ThreadFork = {}): Promise<ThreadStatus> {
    return this.#send('POST', ['threads', id, 'fork'], { body: fork, repeatable: false });
  }

  /** `children`: what becomes of its forks; with `refuse`, the default, they keep it from being deleted. */
  async deleteThread(
    id: ThreadId,
    how: { readonly children?: 'refuse' | 'keep' | 'remove'; readonly force?: boolean } = {},
  ): Promise<void> {
    await this.#send('DELETE', ['threads', id], { query: { ...how }, repeatable: false });
  }

  /** The branch that ends in `head`, or at the thread's own; newest first. */
  messages(id: ThreadId, page: PageRequest & { readonly head?: MessageId | undefined } = {}): Promise<Page<Message>> {
    return this.#get(['threads', id, 'messages'], { ...page });
  }

  /** Ends all that this caller brought in here; others' work stays. */
  cancelThread(id: ThreadId): Promise<StopReport> {
    return this.#send('POST', ['threads', id, 'cancel']);
  }

  /** Stops what runs, whoever brought it in, and supersedes what this caller has queued. */
  interrupt(id: ThreadId): Promise<StopReport> {
    return this.#send('POST', ['threads', id, 'interrupt'], { repeatable: false });
  }

  activation(threadId: ThreadId, id: ActivationId): Promise<ShownActivation> {
    return this.#get(['threads', threadId, 'activations', id]);
  }

  cancelActivation(threadId: ThreadId, id: ActivationId): Promise<StopReport> {
    return this.#send('POST', ['threads', threadId, 'activations', id, 'cancel']);
  }

  tickets(filter: TicketFilter = {}): Promise<Page<ShownTicket>> {
    return this.#get(['tickets'], { ...filter });
  }

  ticket(id: TicketId): Promise<ShownTicket> {
    return this.#get(['tickets', id]);
  }

  /** The first decision wins. The same `decisionId` again is a no-op; absent: a new one. */
  decide(id: TicketId, answer: Answer, decisionId: string = crypto.randomUUID()): Promise<ShownTicket> {
    return this.#send('POST', ['tickets', id, 'decision'], { body: { answer, decisionId } });
  }

  /** What no run has taken yet, in the order in which it will be. */
  async queue(threadId: ThreadId): Promise<readonly QueueEntry[]> {
    return (await this.#get<Page<QueueEntry>>(['threads', threadId, 'input'])).items;
  }

  /** @throws Fault `revision-conflict`, `input-taken` */
  editInput(threadId: ThreadId, id: ActivationId, edit: QueueEdit): Promise<ShownActivation> {
    return this.#send('PATCH', ['threads', threadId, 'input', id], { body: edit, repeatable: false });
  }

  /** Puts these in this order, among the places that they hold. */
  async reorderInput(threadId: ThreadId, activationIds: readonly ActivationId[]): Promise<readonly QueueEntry[]> {
    const body = { activationIds };
    return (await this.#send<Page<QueueEntry>>('PUT', ['threads', threadId, 'input'], { body })).items;
  }

  /** @throws Fault `input-taken` */
  retractInput(threadId: ThreadId, id: ActivationId): Promise<ShownActivation> {
    return this.#send('DELETE', ['threads', threadId, 'input', id], { repeatable: false });
  }

  deadLetters(filter: Omit<RunFilter, 'status'> = {}): Promise<Page<Run>> {
    return this.#get(['dead-letters'], { ...filter });
  }

  /** Asks again what a dead run was asked, as a new run. Repeated, it finds that run. */
  redrive(id: RunId): Promise<RunReceipt> {
    return this.#send('POST', ['dead-letters', id, 'redrive']);
  }

  /** Takes a dead run off the list of dead ones. */
  async discard(id: RunId): Promise<void> {
    await this.#send('DELETE', ['dead-letters', id]);
  }

  deadWebhooks(page: PageRequest = {}): Promise<Page<DeadWebhook>> {
    return this.#get(['dead-webhooks'], { ...page });
  }

  /** Tells a webhook again, from where it was given up. One that is told already is left as it is. */
  async redriveWebhook(id: DeadWebhookId): Promise<void> {
    await this.#send('POST', ['dead-webhooks', id, 'redrive']);
  }

  /** Removes a webhook that was given up. */
  async discardWebhook(id: DeadWebhookId): Promise<void> {
    await this.#send('DELETE', ['dead-webhooks', id]);
  }

  #get<Reply>(path: readonly string[], query?: Query): Promise<Reply> {
    return this.#connection.request({ method: 'GET', path, query, repeatable: true }, this.#retry);
  }

  #send<Reply>(
    method: Call['method'],
    path: readonly string[],
    call: Pick<Call, 'query' | 'body'> & { readonly repeatable?: boolean } = {},
  ): Promise<Reply> {
    return this.#connection.request({ method, path, repeatable: true, ...call }, this.#retry);
  }

  async #submit(path: readonly string[], body: object, options: SubmitOptions): Promise<RunReceipt> {
    const { idempotencyKey = crypto.randomUUID(), signal } = options;
    if (!/^[ -~]{1,512}$/.test(idempotencyKey)) {
      throw new Fault('invalid-request', 'must be 1 to 512 characters of ASCII', { path: 'idempotencyKey' });
    }
    const headers = { 'idempotency-key': idempotencyKey };
    return this.#connection.request({ method: 'POST', path, body, headers, signal, repeatable: true }, this.#retry);
  }
}
