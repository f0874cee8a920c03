import type { Activation, ActivationRequest } from '../../schemas/activation.ts';
import type { Journal } from '../../schemas/journal.ts';
import type { Json } from '../../schemas/json.ts';
import type { Message } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Standing } from '../../schemas/standing.ts';
import type { SubscriptionRecord } from '../../schemas/subscription.ts';
import type { Thread } from '../../schemas/thread.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import type { Lane } from './lane.ts';

/** What a thread keeps beside its lane and its log, by kind. Keys are (scope, thread, kind, id). */
export interface Records {
  /** One, with id ''. */
  thread: Thread;
  activation: Activation;
  /** What an activation asked for; the same id. Changes only by an edit before it is taken. */
  request: ActivationRequest;
  run: Run;
  /** Of each run that has one; see `standingKey`. A run's next one replaces it. */
  standing: Standing;
  message: Message;
  /** The messages that a client calls by an id that another message has (its edits, say); the latest is the last. */
  alias: { readonly messageIds: readonly string[] };
  ticket: Ticket;
  /** See `subscriptionKey`. */
  subscription: SubscriptionRecord;
  /** `{runId}/{turn}/{key}` */
  journal: Journal;
  /** `run/{runId}/{key}` or `agent/{agentId}/{key}` */
  memory: { readonly value: Json };
  /** A run's folded log up to a number; id is the run's. */
  checkpoint: Checkpoint;
  /** Content-addressed inline data: base64 text by its sha-256. */
  blob: { readonly data: string };
}
export type RecordKind = keyof Records;

export interface Checkpoint {
  readonly seq: number;
  /** A RunView as `events/view.ts` writes and reads it. */
  readonly view: Json;
}

/** The records of one thread, as they are for this turn. */
export interface Found {
  find<Kind extends RecordKind>(kind: Kind, id: string): Records[Kind] | undefined;
}

export type Write =
  | {
      [Kind in RecordKind]: {
        readonly op: 'put';
        readonly kind: Kind;
        readonly id: string;
        readonly value: Records[Kind];
      };
    }[RecordKind]
  | { readonly op: 'remove'; readonly kind: RecordKind; readonly id: string }
  | { readonly op: 'event'; readonly event: RunEvent }
  /** Drops the whole thread: lane, log and records. */
  | { readonly op: 'drop' };

/** What one command does: the lane after it, what is committed with it, and what its caller is told. */
export interface Step<Result> {
  readonly lane: Lane;
  readonly writes: readonly Write[];
  readonly outcome: Result;
}
