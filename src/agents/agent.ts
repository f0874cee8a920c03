import type { ActivationRequest } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ItemId, RunId } from '../../schemas/id.ts';
import type { Json } from '../../schemas/json.ts';
import type { Message } from '../../schemas/message.ts';
import type { RunEventBody } from '../../schemas/run-event.ts';
import type { ThreadSettings, Workspace } from '../../schemas/thread.ts';
import type { Decision, Question } from '../../schemas/ticket.ts';
import type { Attachment } from '../attachment.ts';

/** Whatever executes runs. */
export interface Agent {
  readonly card: AgentCard;
  /**
   * Executes one attempt. Ends the turn by returning; fails the attempt by throwing (a `Fault` says whether a retry may
   * help), and for good by yielding what is no event. Everything it awaits should heed `context.signal`.
   */
  run(activation: Activated, context: RunContext): AsyncIterable<RunEventBody>;
}

/** What a run was asked: its activations' requests as one, the messages already in `history()`. */
export interface Activated {
  readonly runId: RunId;
  readonly scope: string;
  readonly threadId: string;
  readonly actor: string;
  /** The messages that started it, in order; also the last ones of `history()`. */
  readonly messages: readonly Message[];
  readonly tools: ActivationRequest['tools'];
  readonly context: ActivationRequest['context'];
  readonly forwardedProps: Json | undefined;
  /** Earlier work that the request is about: runs, as their doors name them. */
  readonly references: readonly string[];
  /** The media types that its caller takes as an answer; none: any. */
  readonly acceptedModes: readonly string[];
  /** Where the request stands in its caller's trace. https://www.w3.org/TR/trace-context/ */
  readonly trace: ActivationRequest['trace'];
  readonly metadata: ActivationRequest['metadata'];
  /** The thread's shared state when the run began. */
  readonly state: Json;
  /** The directories that the thread is about; absolute paths on its client's side. */
  readonly workspace: Workspace | undefined;
  /** What people chose among the card's modes and options when the attempt began; what nobody chose is absent. */
  readonly settings: ThreadSettings;
}

export interface RunContext {
  /** Aborted by cancel, interrupt, lost ownership and shutdown; its reason is a `Fault`. */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly attempt: number;
  /** An item id for this key: the same in every attempt of this run. */
  id(key: string): ItemId;
  /** The messages from the root of the thread to this run's head, oldest first; final ones only. */
  history(): AsyncIterable<Message>;
  /** Takes pending input, at a boundary. The n-th call of a later attempt returns first what the n-th call took. */
  input(): Promise<readonly Message[]>;
  /**
   * Asks people, and resolves when all have answered; at once, with the same answers, in a later attempt.
   * @throws Fault `journal-diverged` when the key is used twice in an attempt, or with other questions than before
   */
  ask(key: string, ...questions: readonly [Question, ...Question[]]): Promise<readonly Decision[]>;
  /**
   * Runs an effect and keeps its result. *Started* is durable before it begins; an attempt that finds it started and not
   * ended is in doubt: `ask` a person (default), `fail`, or `repeat`. So: exactly once when the receiver honours
   * `idempotencyKey`, at most once with `fail`, at least once with `repeat`.
   * @throws Fault `journal-diverged`, `in-doubt`; what the effect throws is not kept
   */
  once<Result extends Json | undefined>(
    key: string,
    effect: (e: { readonly idempotencyKey: string; readonly signal: AbortSignal }) => Promise<Result>,
    inDoubt?: 'ask' | 'fail' | 'repeat',
  ): Promise<Result>;
  /** Makes all that was yielded so far final. */
  checkpoint(): Promise<void>;
  /** Small durable values: of this run, and of this agent on this thread. */
  readonly memory: { readonly run: Memory; readonly thread: Memory };
  /**
   * The live client that started the run; undefined where its door has none. One that has left stays: its calls fail
   * `client-gone`, until it comes back.
   */
  readonly client: Attachment | undefined;
  /** The bytes, base64, of a `media` part whose source is a blob. */
  blob(id: string): Promise<string>;
}

export interface Memory {
  get(key: string): Promise<Json | undefined>;
  set(key: string, value: Json): Promise<void>;
}
