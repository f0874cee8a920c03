import type { Activation, ActivationRequest } from '../../schemas/activation.ts';
import type { ActivationId, Actor, Door, MessageId, RunId, TicketId } from '../../schemas/id.ts';
import type { StopReport, ThreadPatch } from '../../schemas/control.ts';
import type { Json } from '../../schemas/json.ts';
import type { Message, MessageInput } from '../../schemas/message.ts';
import type { Completed, Run } from '../../schemas/run.ts';
import type { FaultRecord } from '../../schemas/fault.ts';
import type { PushFilter, PushTarget, Subscription, SubscriptionRecord } from '../../schemas/subscription.ts';
import type { Thread, ThreadSettings, Workspace } from '../../schemas/thread.ts';
import type { Answer, Question, Ticket } from '../../schemas/ticket.ts';
import type { LaneClaim, PatchedField, Recovery } from './lane.ts';

/** The numbers that the rules go by. */
export interface Rules {
  readonly maxAttempts: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  readonly maxInterruptions: number;
  readonly graceMs: number;
  readonly parkAfterMs: number;
  readonly ticketTtlMs: number;
  readonly queuePerThread: number;
  readonly queueInAll: number;
  readonly push: PushRules;
}

/** The same for subscriptions. */
export interface PushRules {
  /** How many a run may have, those that were given up included. */
  readonly perRun: number;
  /** How many of a thread's may be active: its lane names each. */
  readonly perThread: number;
  /** How often in a row sending may fail before a subscription is given up. */
  readonly maxAttempts: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
}

/** Who gives a command from outside. */
export interface Caller {
  readonly actor: Actor;
  readonly door: Door;
  readonly origin: 'user' | 'agent';
}

/** What of its agent's card the rules need. */
export interface AgentTerms {
  readonly id: string;
  readonly version: string;
  readonly recovery: Recovery;
  readonly takesInput: boolean;
}

/** A message that a run wrote, before the thread gives it its place in the order. */
export type MessageDraft = Omit<Message, 'seq'>;

/** What a run has written, when it ends. */
export interface Written {
  readonly messages: readonly MessageDraft[];
  readonly pendingToolCalls: readonly string[];
  /** What the agent changed on its thread. */
  readonly thread: Partial<Pick<Thread, 'state' | PatchedField>>;
  /** The last event of the log that this knows of. */
  readonly seq: number;
}

/** Ids that a command may need, minted by its sender. */
export interface SpareIds {
  /** For a run made of input that the ended one did not take. */
  readonly runId: RunId;
}

/** An answer whose schema was checked by the sender; `problem` says what is wrong with it. */
export interface CheckedAnswer {
  readonly ticketId: TicketId;
  readonly answer: Answer;
  readonly decisionId?: string | undefined;
  readonly problem?: string | undefined;
}

/**
 * Everything that can happen to a lane. Each carries the id that makes its repetition a no-op with the first outcome.
 * `offer` is a claim that the sender is ready to execute; the step uses it if something is claimable afterwards.
 */
export interface Commands {
  accept: {
    readonly request: ActivationRequest;
    readonly digest: string;
    readonly bytes: number;
    readonly agent: AgentTerms;
    readonly decisions: readonly CheckedAnswer[];
    readonly blobs: readonly { readonly id: string; readonly data: string }[];
    readonly ids: { readonly runId: RunId; readonly logId: string; readonly messageIds: readonly MessageId[] };
    /** How many requests wait on all threads. */
    readonly waitsInAll: number;
    readonly offer: LaneClaim | undefined;
  };
  redrive: {
    readonly runId: RunId;
    readonly agent: AgentTerms;
    readonly ids: SpareIds;
    readonly by: Caller;
    readonly waitsInAll: number;
    readonly offer: LaneClaim | undefined;
  };
  discard: { readonly runId: RunId; readonly by: Actor };
  create: {
    readonly thread: Omit<Thread, 'createdAtMs'>;
    readonly logId: string;
    /** What it begins with, oldest first: another thread's path, for a fork. */
    readonly messages: readonly Message[];
    readonly blobs: readonly { readonly id: string; readonly data: string }[];
  };
  patch: { readonly patch: ThreadPatch };
  /** Removes the thread, whatever is on it if `force`. */
  remove: { readonly force: boolean };
  claim: { readonly offer: LaneClaim };
  ask: {
    readonly token: string;
    readonly key: string;
    readonly digest: string;
    readonly questions: readonly { readonly id: TicketId; readonly question: Question }[];
  };
  once: { readonly token: string; readonly key: string; readonly digest: string; readonly repeat: boolean };
  endOnce: {
    readonly token: string;
    readonly key: string;
    readonly result: Json | undefined;
  };
  takeInput: { readonly token: string; readonly key: string };
  checkpoint: { readonly token: string };
  wait: { readonly token: string };
  resume: { readonly token: string };
  settle: {
    readonly token: string;
    readonly runId: RunId;
    readonly ending:
      | Pick<Completed, 'type' | 'stop' | 'result'>
      | { readonly type: 'failed'; readonly fault: FaultRecord };
    readonly written: Written;
    readonly ids: SpareIds;
    readonly offer: LaneClaim | undefined;
  };
  release: { readonly token: string };
  lost: { readonly token: string };
  finish: {
    readonly runId: RunId;
    readonly written: Written;
    readonly ids: SpareIds;
    readonly offer: LaneClaim | undefined;
  };
  decide: { readonly decision: CheckedAnswer; readonly by: Caller };
  withdraw: { readonly token: string; readonly ticketIds: readonly TicketId[] };
  cancel: {
    readonly target:
      | { readonly run: RunId }
      | { readonly activation: ActivationId }
      /** All that this caller brought in. */
      | 'thread';
    readonly by: Caller;
  };
  interrupt: { readonly by: Caller };
  retract: { readonly activationId: ActivationId; readonly by: Caller };
  edit: {
    readonly activationId: ActivationId;
    readonly revision: number;
    readonly messages: readonly MessageInput[];
    readonly by: Caller;
  };
  reorder: { readonly activationIds: readonly ActivationId[]; readonly by: Caller };
  /** Made again under its name, a subscription takes the new target, filter and codec, and is alive again. */
  subscribe: {
    readonly subscription: Pick<SubscriptionRecord, 'id' | 'runId' | 'actor' | 'door' | 'codec'> & {
      readonly target: PushTarget;
      readonly filter: PushFilter;
    };
    /** The last event that need not be delivered; undefined: the head of the log. */
    readonly after: number | undefined;
    /** How many of the run's others were given up. */
    readonly deadOnRun: number;
    /** Given to a new one. */
    readonly claim: LaneClaim;
  };
  unsubscribe: { readonly id: string };
  /** `over`: the claim that is known to be of a process that is gone. */
  claimPush: { readonly id: string; readonly claim: LaneClaim; readonly over: string | undefined };
  /** Everything up to a number is delivered, or passed over. */
  pushed: { readonly id: string; readonly token: string; readonly upTo: number };
  /** Sending what comes behind `upTo` has failed. `final`: it would fail again. */
  pushFailed: {
    readonly id: string;
    readonly token: string;
    readonly upTo: number;
    readonly fault: FaultRecord;
    readonly final: boolean;
    /** How long the receiver asked to be left alone. */
    readonly retryAfterMs: number | undefined;
  };
  tick: object;
}
export type CommandType = keyof Commands;
export type Command<Type extends CommandType = CommandType> = {
  [Each in Type]: { readonly type: Each } & Commands[Each];
}[Type];

/** A claim that was given: what its holder is to execute. */
export interface Started {
  readonly runId: RunId;
  readonly agentId: string;
  readonly token: string;
  readonly attempt: number;
  readonly turn: number;
  readonly baseId: MessageId | undefined;
  /** Set on the first attempt: nothing was executed before. */
  readonly fresh?: {
    readonly requests: readonly ActivationRequest[];
    readonly messages: readonly Message[];
    readonly state: Json;
    readonly workspace: Workspace | undefined;
    readonly settings: ThreadSettings;
  };
  readonly boundarySeq: number;
  /** See OpenRun.startedBy. */
  readonly startedBy: readonly ActivationId[];
  readonly firstSeq: number;
}

export type Stopped = StopReport['runs'][RunId];

export interface Outcomes {
  accept: {
    readonly activation: Activation;
    readonly was: 'accepted' | 'repeated';
    readonly became: 'running' | 'queued' | 'pending' | 'blocked' | 'answered';
    readonly blockedBy: readonly TicketId[];
    readonly started?: Started | undefined;
  };
  redrive: Outcomes['accept'];
  discard: { readonly run: Run };
  create: { readonly was: 'created' | 'repeated' };
  patch: object;
  remove: object;
  claim: { readonly started?: Started | undefined };
  ask: { readonly tickets: readonly Ticket[] };
  once:
    | { readonly is: 'started' }
    | { readonly is: 'in-doubt' }
    | { readonly is: 'finished'; readonly result: Json | undefined };
  endOnce: object;
  takeInput: { readonly messages: readonly Message[] };
  checkpoint: object;
  wait: { readonly waiting: boolean };
  resume: object;
  settle: { readonly is: 'done' | 'retrying' | 'continued'; readonly started?: Started | undefined };
  release: object;
  lost: object;
  finish: { readonly started?: Started | undefined };
  decide: { readonly ticket: Ticket; readonly was: 'decided' | 'repeated' };
  withdraw: object;
  cancel: StopReport;
  interrupt: StopReport;
  retract: { readonly activation: Activation };
  edit: { readonly activation: Activation };
  reorder: { readonly order: readonly ActivationId[] };
  subscribe: { readonly subscription: Subscription };
  unsubscribe: object;
  claimPush: { readonly subscription: Subscription | undefined };
  /** `over`: there is nothing more to deliver, or nobody who wants it. */
  pushed: { readonly is: 'active' | 'over' };
  pushFailed: { readonly is: 'retrying' | 'dead' | 'over' };
  tick: object;
}
