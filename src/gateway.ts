import type { Activation, ActivationRequest } from '../schemas/activation.ts';
import type { AgentCard } from '../schemas/agent-card.ts';
import type { ActivationId, Principal, RunId, ThreadId, TicketId } from '../schemas/id.ts';
import type { Json } from '../schemas/json.ts';
import type { Message } from '../schemas/message.ts';
import type { RunEvent } from '../schemas/run-event.ts';
import type { Ticket } from '../schemas/ticket.ts';

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

/**
 * What the doors may do. Every call names its caller; what belongs to another scope is `not-found`, exactly as what was
 * never there.
 */
export interface Gateway {
  agents(): readonly AgentCard[];
  findAgent(id: string): AgentCard | undefined;
  /** Accepts a request. Resolves when that is durable. @throws Fault (nothing was written) */
  submit(principal: Principal, submission: Submission): Promise<Receipt>;
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
  /** The thread as the given run saw it when event `seq` was recorded. @throws Fault `not-found` */
  view(principal: Principal, threadId: ThreadId, runId: RunId, seq: number): Promise<ThreadView>;
  findTicket(principal: Principal, threadId: ThreadId, ticketId: TicketId): Promise<Ticket | undefined>;
  /** Base64 bytes of a blob of the thread. @throws Fault `not-found` */
  blob(principal: Principal, threadId: ThreadId, id: string): Promise<string>;
  /** Aborted when the gateway stops: streams end detached. */
  readonly stopping: AbortSignal;
}
