import type { Activation, ActivationRequest } from '../schemas/activation.ts';
import type { AgentCard } from '../schemas/agent-card.ts';
import type {
  QueueEntry,
  RunReport,
  ShownTicket,
  StopReport,
  ThreadFork,
  ThreadInput,
  ThreadPatch,
  ThreadStatus,
} from '../schemas/control.ts';
import type { ActivationId, AgentId, Door, MessageId, Principal, RunId, ThreadId, TicketId } from '../schemas/id.ts';
import type { Json } from '../schemas/json.ts';
import type { Message, MessageInput } from '../schemas/message.ts';
import type { Run } from '../schemas/run.ts';
import type { RunEvent } from '../schemas/run-event.ts';
import type { Standing } from '../schemas/standing.ts';
import type {
  DeadWebhook,
  DeadWebhookId,
  PushFilter,
  PushTarget,
  Subscription,
  SubscriptionId,
} from '../schemas/subscription.ts';
import type { Thread } from '../schemas/thread.ts';
import type { Answer, Ticket } from '../schemas/ticket.ts';
import type { Attachment } from './attachment.ts';

/** Who acts, and through which door. A calling agent is no person: some questions are not for it to answer. */
export interface Caller extends Principal {
  readonly door: Door;
  readonly origin: 'user' | 'agent';
}

/** A request as a door hands it over; who asks comes with the principal. */
export type Submission = Omit<ActivationRequest, 'scope' | 'actor'>;

/** What became of a request when it was accepted; everything in it is durable. */
export interface Receipt {
  readonly activation: Activation;
  /** `repeated`: the same request had been accepted before, and this is how it stands. */
  readonly was: 'accepted' | 'repeated';
  /** How it enters: its run executes now, is queued, is pending input of a run, or stands behind open questions. */
  readonly became: 'running' | 'queued' | 'pending' | 'blocked' | 'answered';
  readonly runId: RunId;
  /** Tickets that the run it stands behind waits for; with `blocked`. */
  readonly blockedBy: readonly TicketId[];
}

/** A thread as of one event: what a newcomer must be told to go on from there. */
export interface ThreadView {
  /** The path from the root, the run's own so far included; oldest first. `seq` is absent on what is not recorded yet. */
  readonly messages: readonly Omit<Message, 'seq'>[];
  readonly state: Json;
  readonly tickets: readonly Ticket[];
}

/** A view of a whole thread, and the position in its log to go on from. */
export interface ThreadMoment extends ThreadView {
  readonly logId: string;
  /** Its last event that is in the view; 0 for none. */
  readonly seq: number;
  /** The run that was open then, or the last one before; undefined: there was none. */
  readonly runId: RunId | undefined;
}

/** A part of a list, newest first. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; undefined: this was the last one. A page may hold fewer than were asked for. */
  readonly next: string | undefined;
}

export interface PageRequest {
  /** A `next` of the same list; undefined: from its start. Another text is an `invalid-request`. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** @throws Fault `not-found` for a thread that is not there, or is another scope's */
export interface Threads {
  /** Makes a thread; one that is there already, made of the same, is found. @throws Fault `request-conflict` */
  create(
    caller: Principal,
    input: ThreadInput,
  ): Promise<{ readonly status: ThreadStatus; readonly was: 'created' | 'repeated' }>;
  find(caller: Principal, id: ThreadId): Promise<ThreadStatus | undefined>;
  list(
    caller: Principal,
    filter: { readonly contextId?: string | undefined },
    page: PageRequest,
  ): Promise<Page<Thread>>;
  patch(caller: Principal, id: ThreadId, patch: ThreadPatch): Promise<ThreadStatus>;
  /**
   * A new thread of the same context that begins with this one's messages up to `at`, or to its head.
   * @throws Fault `request-conflict` when the new name is taken, `not-found` with path `at`
   */
  fork(caller: Principal, id: ThreadId, fork: ThreadFork): Promise<ThreadStatus>;
  /**
   * Removes a thread and all that belongs to it. What runs on it loses its claim and is told to stop. Its forks are
   * threads of their own: `refuse` leaves everything when there are any, `keep` leaves them, `remove` removes them and
   * theirs too.
   * @throws Fault `run-conflict`: it is busy and `force` is not set, or it has forks and they are to refuse
   */
  remove(
    caller: Principal,
    id: ThreadId,
    how: { readonly children: 'refuse' | 'keep' | 'remove'; readonly force: boolean },
  ): Promise<void>;
  /** The path that ends in `headId` (undefined: the thread's head), newest first. @throws Fault `not-found` with path `head` */
  messages(caller: Principal, id: ThreadId, headId: MessageId | undefined, page: PageRequest): Promise<Page<Message>>;
  /** Ends all that this caller brought in through this door; others' work stays. Twice is a no-op that says how it stands. */
  cancel(caller: Caller, id: ThreadId): Promise<StopReport>;
  /** Stops what runs, whoever brought it in, and supersedes what this actor has queued. */
  interrupt(caller: Caller, id: ThreadId): Promise<StopReport>;
}

export interface RunFilter {
  /** `dead`: failed for good, and neither redriven nor discarded. */
  readonly status?: Run['status'] | 'dead' | undefined;
  readonly threadId?: ThreadId | undefined;
  readonly agentId?: string | undefined;
}

export interface StandingFilter {
  readonly agentId: AgentId;
  readonly is: readonly Standing['is'][];
  readonly threadId?: ThreadId | undefined;
}

/** @throws Fault `not-found` for a run that is not there, or is another scope's */
export interface Runs {
  find(caller: Principal, id: RunId): Promise<RunReport | undefined>;
  list(caller: Principal, filter: RunFilter, page: PageRequest): Promise<Page<Run>>;
  /**
   * The caller's own runs that nobody works on, by since when: the latest first, then by id. Fewer than `limit`: there are
   * no more. `before`: a place in that order, exclusive.
   */
  listStanding(
    caller: Principal,
    filter: StandingFilter,
    page: { readonly before?: Pick<Standing, 'atMs' | 'runId'> | undefined; readonly limit: number },
  ): Promise<readonly Standing[]>;
  /** How many `listStanding` has in all that stand so since then, or later. */
  countStanding(caller: Principal, filter: StandingFilter, sinceMs: number): Promise<number>;
  /** Resolves when the run is done (or, unless `until` is `done`, waits for a person), or `signal` aborts. */
  wait(caller: Principal, id: RunId, until: 'done' | 'settled', signal: AbortSignal): Promise<RunReport>;
  /** Ends it, wherever it is: queued, running, in backoff, waiting, parked. Twice is a no-op that says how it stands. */
  cancel(caller: Caller, id: RunId): Promise<StopReport>;
  /** Ends what one request asked for. @throws Fault `input-taken`: a run that others brought in has taken it */
  cancelActivation(caller: Caller, threadId: ThreadId, id: ActivationId): Promise<StopReport>;
  /**
   * Asks again what a dead run was asked, as a new run on a branch of its own. Repeated, it finds that run.
   * @throws Fault `run-conflict`: it is not dead
   */
  redrive(caller: Caller, id: RunId): Promise<Receipt>;
  /** Takes a dead run off the list of dead ones. Repeated, a no-op. @throws Fault `run-conflict`: it is not dead */
  discard(caller: Principal, id: RunId): Promise<Run>;
}

export interface TicketFilter {
  readonly state?: 'open' | 'closed' | undefined;
  readonly threadId?: ThreadId | undefined;
  readonly runId?: RunId | undefined;
}

/** Tickets as anyone in their scope may see them: without the answers that are secrets. */
export interface Tickets {
  find(caller: Principal, id: TicketId): Promise<ShownTicket | undefined>;
  list(caller: Principal, filter: TicketFilter, page: PageRequest): Promise<Page<ShownTicket>>;
  /**
   * Answers one question. The same answer, or the same decision id, again is a no-op with the first outcome.
   * @throws Fault `not-found`, `invalid-answer`, `forbidden`, `decision-conflict`, `run-ended`
   */
  decide(
    caller: Caller,
    id: TicketId,
    decision: { readonly answer: Answer; readonly decisionId?: string | undefined },
  ): Promise<ShownTicket>;
}

/**
 * What waits on a thread: requests that no run has taken. Changed by the actor who brought them in alone.
 * @throws Fault `not-found`, `forbidden` (another actor's), `input-taken`, `revision-conflict`
 */
export interface Queue {
  /** In the order in which they will be taken. */
  list(caller: Principal, threadId: ThreadId): Promise<readonly QueueEntry[]>;
  edit(
    caller: Caller,
    threadId: ThreadId,
    id: ActivationId,
    change: { readonly revision: number; readonly messages: readonly MessageInput[] },
  ): Promise<Activation>;
  /** Puts these in this order, among the places that they hold; all others keep theirs. */
  reorder(caller: Caller, threadId: ThreadId, ids: readonly ActivationId[]): Promise<readonly QueueEntry[]>;
  retract(caller: Caller, threadId: ThreadId, id: ActivationId): Promise<Activation>;
}

export interface SubscriptionInput {
  readonly id: SubscriptionId;
  readonly target: PushTarget;
  readonly filter: PushFilter;
  /** The door's name for the form in which events are told to it; undefined: the door's usual one. */
  readonly codec?: string | undefined;
  /** The last event that need not be sent: a receipt's `afterSeq`, to miss nothing of its run. Undefined: what comes from now on. */
  readonly after?: number | undefined;
}

/**
 * Webhooks that follow a run. Each is its actor's alone: another actor's, like another scope's, is not found. One is over,
 * and gone, when the end of its run was delivered; one that was given up stays, to be seen.
 */
export interface Subscriptions {
  /** @throws Fault `invalid-request`, `unsupported`: what `create` would say of a target, before there is a run */
  check(caller: Caller, target: PushTarget): void;
  /**
   * Makes a subscription. Made again under its id, it takes the new target, filter and codec and goes on where it is, also when it
   * had been given up.
   * @throws Fault `not-found` (no such run), `run-ended` (nothing of it is left to send), `too-many`, `invalid-request`
   * (the target), `unsupported` (this door, or this gateway, sends nothing)
   */
  create(caller: Caller, runId: RunId, input: SubscriptionInput): Promise<Subscription>;
  find(caller: Principal, runId: RunId, id: SubscriptionId): Promise<Subscription | undefined>;
  /** All of the caller's on a run; they are few. @throws Fault `not-found` (no such run) */
  list(caller: Principal, runId: RunId): Promise<readonly Subscription[]>;
  /** What is under way is broken off. Repeated, or without one, a no-op. @throws Fault `not-found` (no such run) */
  remove(caller: Principal, runId: RunId, id: SubscriptionId): Promise<void>;
  /** Those that were given up, of all actors of the caller's scope; of the newest runs first. */
  listDead(caller: Principal, page: PageRequest): Promise<Page<DeadWebhook>>;
  /**
   * Follows one that was given up again, from where it is; one that is followed is left alone.
   * @throws Fault `not-found`, and what `create` says of its target
   */
  redrive(caller: Principal, webhookId: DeadWebhookId): Promise<void>;
  /** Removes one that was given up. @throws Fault `not-found` */
  discard(caller: Principal, webhookId: DeadWebhookId): Promise<void>;
}

/** A request to a subscription's target, as its door says it. */
export interface PushRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The last event that is told once this and those before it are accepted; never below the one before. */
  readonly upTo: number;
  /** What a signed token says of it, beside who sends it and to whom. */
  readonly claims?: Readonly<Record<string, string>>;
}

/** How a door tells events to webhooks: one for each door that takes subscriptions. */
export interface Pusher {
  /** The header that carries the target's token. */
  readonly tokenHeader: string;
  /**
   * What is to be sent for these events, in this order; none where they say nothing to this door. `viewAt` is the thread as
   * the run saw it when an event was recorded. Called again with the same events, it gives the same requests.
   */
  encodePush(
    subscription: Subscription,
    events: readonly RunEvent[],
    viewAt: (seq: number) => Promise<ThreadView>,
  ): Promise<readonly PushRequest[]>;
}

/**
 * What the doors may do. Every call names its caller; what belongs to another scope is `not-found`, exactly as what was
 * never there.
 */
export interface Gateway {
  readonly threads: Threads;
  readonly runs: Runs;
  readonly tickets: Tickets;
  readonly queue: Queue;
  readonly subscriptions: Subscriptions;
  agents(): readonly AgentCard[];
  findAgent(id: string): AgentCard | undefined;
  /** Accepts a request. Resolves when that is durable. @throws Fault (nothing was written) */
  submit(principal: Principal, submission: Submission): Promise<Receipt>;
  /**
   * Offers a live client's side to the runs that its submissions start, by its name as their `attachmentId`, until it
   * is disposed of. Nothing of it is stored.
   */
  attach(principal: Principal, threadId: ThreadId, attachment: Attachment): Disposable;
  /** How an activation stands. */
  findActivation(principal: Principal, threadId: ThreadId, id: ActivationId): Promise<Activation | undefined>;
  /**
   * The thread's log after a number: replays, then goes on live until `signal` aborts. Pulled by the follower, in pages.
   * @throws Fault `cursor-expired` when `after` is beyond the head or evicted
   */
  follow(
    principal: Principal,
    threadId: ThreadId,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly RunEvent[]>;
  /** One page of the thread's log, without waiting for more. @throws Fault `not-found`, `cursor-expired` */
  events(principal: Principal, threadId: ThreadId, after: number, limit: number): Promise<readonly RunEvent[]>;
  /** The thread as the given run saw it when event `seq` was recorded. @throws Fault `not-found` */
  view(principal: Principal, threadId: ThreadId, runId: RunId, seq: number): Promise<ThreadView>;
  /** The thread as of event `seq` (undefined: as it is now). @throws Fault `not-found`, `cursor-expired` */
  viewAt(principal: Principal, threadId: ThreadId, seq: number | undefined): Promise<ThreadMoment>;
  /** A question of a thread, as its agent sees it: with its answer. */
  findTicket(principal: Principal, threadId: ThreadId, ticketId: TicketId): Promise<Ticket | undefined>;
  /** Base64 bytes of a blob of the thread. @throws Fault `not-found` */
  blob(principal: Principal, threadId: ThreadId, id: string): Promise<string>;
  /** Aborted when the gateway stops: streams end detached. */
  readonly stopping: AbortSignal;
}
