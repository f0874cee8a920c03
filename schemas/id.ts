import * as z from 'zod';

const size = 'must have 1 to 512 characters';

/**
 * Names of things. Every id is an opaque string: callers may choose thread, message and request ids freely, so any text
 * of 1 to 512 characters is allowed and nothing may be read out of one.
 */
const Id = z.string().min(1, size).max(512, size);

/** A name that URLs bear: they resolve dots, written as they are or escaped, and cannot say half a surrogate pair. */
const UrlName = Id.regex(/[^.]|\.{3}/, 'must not be . or ..').refine((name) => !/\p{Cs}/u.test(name), {
  error: 'must not have half a surrogate pair',
});

/** Who is isolated from whom (a tenant). The first part of every key. `local` when no tokens are configured. */
export const Scope = Id;
export type Scope = z.infer<typeof Scope>;

/** Who acted, inside a scope. */
export const Actor = Id;
export type Actor = z.infer<typeof Actor>;

/** A conversation's name inside its scope; chosen by the client. */
export const ThreadId = UrlName;
export type ThreadId = z.infer<typeof ThreadId>;

/** Ours, time-ordered. */
export const RunId = Id;
export type RunId = z.infer<typeof RunId>;

/** The client's own id of a request, or ours where the protocol has none. */
export const RequestKey = Id;
export type RequestKey = z.infer<typeof RequestKey>;

/** `{door}:{key}`, unique in a thread for ever. */
export const ActivationId = z.string().min(1).max(1024);
export type ActivationId = z.infer<typeof ActivationId>;

/** The client's, where it is free in the thread, otherwise ours. */
export const MessageId = Id;
export type MessageId = z.infer<typeof MessageId>;

/** An item of a run: a text, a reasoning, a tool call, an artifact, a plan. Stable over attempts. */
export const ItemId = Id;
export type ItemId = z.infer<typeof ItemId>;

export const TicketId = Id;
export type TicketId = z.infer<typeof TicketId>;

export const AgentId = UrlName;
export type AgentId = z.infer<typeof AgentId>;

/** The protocol a request came through. */
export const Door = z.enum(['ag-ui', 'a2a', 'acp', 'mcp', 'openai', 'control']);
export type Door = z.infer<typeof Door>;

/** Names one thread everywhere in the gateway. */
export interface ThreadKey {
  readonly scope: Scope;
  readonly threadId: ThreadId;
}

/** Who is asking, as authentication found it; every gateway call carries one. */
export interface Principal {
  readonly scope: Scope;
  readonly actor: Actor;
}
