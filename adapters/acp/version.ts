import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ItemId, ThreadId, TicketId } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import type { Part } from '../../schemas/part.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Thread, ThreadSettings, Workspace } from '../../schemas/thread.ts';
import type { Answer, Ticket } from '../../schemas/ticket.ts';
import type { Attachment, McpServer } from '../../src/attachment.ts';
import type { OpenCalls } from './history.ts';
import type { JsonRpcPeer } from './peer.ts';

/** The one way to say who one is: the token that the connection came with. */
export const tokenMethod = 'token';

/** What a client asks for, in whatever version it says it. */
export type Operation =
  | { readonly do: 'authenticate'; readonly methodId: string }
  /** `key`: the client's name for it; the same one again is the same session. */
  | ({ readonly do: 'new'; readonly key: string | undefined } & Surroundings)
  /** `after`: the last update of a replay that was broken off; undefined: from its start. */
  | ({ readonly do: 'load'; readonly sessionId: ThreadId; readonly after: string | undefined } & Surroundings)
  /** `after`: the last update that the client has; undefined: it wants what comes from now on. */
  | ({ readonly do: 'resume'; readonly sessionId: ThreadId; readonly after: string | undefined } & Surroundings)
  | { readonly do: 'list'; readonly cwd: string | undefined; readonly cursor: string | undefined }
  | { readonly do: 'close' | 'delete'; readonly sessionId: ThreadId }
  | ({ readonly do: 'prompt'; readonly sessionId: ThreadId } & Words)
  | ({ readonly do: 'steer'; readonly sessionId: ThreadId; readonly onlyIfRunning: boolean } & Words)
  | { readonly do: 'set-mode'; readonly sessionId: ThreadId; readonly mode: string }
  | {
      readonly do: 'set-option';
      readonly sessionId: ThreadId;
      readonly option: string;
      readonly value: string | boolean;
    };

/** What a person says. `key`: the client's name for it; the same one again is the same prompt. */
export interface Words {
  readonly parts: readonly Part[];
  readonly key: string | undefined;
  /** Where it stands in its client's trace. */
  readonly trace: { readonly traceparent: string; readonly tracestate?: string } | undefined;
}

/** A session as its client sees it. */
export interface Surroundings {
  readonly home: Workspace;
  readonly mcpServers: readonly McpServer[];
}

/** What a client says of itself at the beginning. */
export interface ClientSide {
  /** Its own name, where it has one that outlives the connection. */
  readonly clientId: string | undefined;
  /** It wants to know where in its session's log each update comes from. */
  readonly takesCursors: boolean;
  readonly readsFiles: boolean;
  readonly writesFiles: boolean;
  readonly runsCommands: boolean;
  readonly asksForms: boolean;
  readonly opensUrls: boolean;
  readonly showsNotices: boolean;
  readonly showsCompaction: boolean;
  readonly hasBooleanOptions: boolean;
}

/** What a client may know of a question. */
export type Asked = Omit<Ticket, 'closed'>;

/** What a session may be told by itself; opaque outside its version. */
export type Update = object;

/** Tells events of one log, one after the other: the same events, the same updates. */
export interface Encoder {
  encode(event: RunEvent): readonly Update[];
  /** Goes over what its client is told by `encodeHistory`. */
  recall(event: RunEvent): void;
  /** What is open of what it recalled and `encodeHistory` does not show. */
  standing(): readonly Update[];
  /** What the client knows an item as. */
  nameOf(id: ItemId): string;
}

/** A question as a client is asked it. */
export interface AskedQuestion {
  readonly method: string;
  readonly params: object;
  /** Undefined: no answer was given. @throws Fault `invalid-answer` */
  decode(result: unknown): Answer | undefined;
  /** What its client is told when it is closed, whoever did that. */
  readonly closing?: Call | undefined;
}

/** Where an update comes from, for a client that wants to go on after it: the log, or the replay of a moment of it. */
export interface Place {
  readonly in: 'log' | 'replay';
  readonly cursor: string;
}

export interface Call {
  readonly method: string;
  readonly params: object;
}

/**
 * One version of the protocol: how it says what sessions do. Chosen once for a connection, by its first request.
 * @throws Fault `invalid-request` from what decodes
 */
export interface Version {
  readonly number: number;
  decodeClient(params: unknown): ClientSide;
  encodeAgent(card: AgentCard, needsToken: boolean): object;
  /** @throws RpcError −32601: it has no such method */
  decodeRequest(method: string, params: unknown, card: AgentCard): Operation;
  /** The session whose work is to end; undefined: it says nothing to us. */
  decodeCancel(method: string, params: unknown): ThreadId | undefined;
  encodeSession(session: OpenedSession, to: Audience): object;
  encodeSessions(
    sessions: readonly { readonly thread: Thread; readonly home: Workspace; readonly updatedAtMs: number }[],
    next: string | undefined,
  ): object;
  encodeSettings(settings: ThreadSettings, to: Audience): object;
  /** @throws RpcError for what the version has no end for */
  encodeEnd(outcome: Outcome): object;
  encodeSteered(became: 'injected' | 'started' | 'not-running'): object;
  newEncoder(to: Audience, isOwn: (activationId: string) => boolean): Encoder;
  encodeHistory(messages: readonly Omit<Message, 'seq'>[], open: OpenCalls): readonly Update[];
  /** What a session is told of itself once it is open. */
  encodeOpened(thread: Thread, card: AgentCard): readonly Update[];
  /** Words of the gateway's own. */
  encodeWords(messageId: string, text: string): Update;
  /** Undefined: this client cannot be asked that. `problem`: what was wrong with the answer before. */
  encodeQuestion(ticket: Asked, to: Addressee): AskedQuestion | undefined;
  encodeUpdate(sessionId: ThreadId, update: Update, place: Place | undefined): Call;
  attachmentOf(
    peer: JsonRpcPeer,
    session: { readonly id: ThreadId } & Pick<Attachment, 'mcpServers'>,
    client: ClientSide & { readonly clientId: string },
  ): Attachment;
}

/** `id`: of one that is new. `goesOn`: where its client would go on, and the questions it is being asked. */
export interface OpenedSession {
  readonly id?: ThreadId | undefined;
  readonly settings: ThreadSettings;
  readonly goesOn?: { readonly cursor: string; readonly ticketIds: readonly TicketId[] } | undefined;
}

export interface Audience {
  readonly card: AgentCard;
  readonly client: ClientSide;
}

/** Whom a question is for. */
export interface Addressee {
  readonly client: ClientSide;
  readonly sessionId: ThreadId;
  /** Why the answer before was none. */
  readonly problem: string | undefined;
  /** What the client knows a tool call as. */
  readonly nameOf: (toolCallId: ItemId) => string;
}
