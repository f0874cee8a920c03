import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import type { FaultCode } from '../../../schemas/fault.ts';
import type { Log } from '../../adapter.ts';
import type { Clock } from '../../clock.ts';
import type { Caller, Gateway } from '../../gateway.ts';
import type { Ids } from '../../ids.ts';
import type { OwnStatuses } from '../../problem.ts';
import type { FrameCache } from './frame-cache.ts';

/** What every handler may use. */
export interface Services {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly frames: FrameCache;
  /** Silence on a stream after which a comment is written. */
  readonly keepAliveMs: number;
}

/** One request whose every part fits its schema. */
export interface Call<Params = unknown, Query = unknown, Headers = unknown, Body = unknown> extends Services {
  readonly params: Params;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  readonly caller: Caller;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly log: Log;
}

type SuccessStatus = 200 | 201 | 202 | 204;

/** One way in which an endpoint answers when all is well. */
export interface Answer {
  readonly what: string;
  /** Of the JSON body; absent: there is none, or another one. */
  readonly body?: z.ZodType;
  /** Of each event's data, where the same is also served as a stream of events. */
  readonly stream?: z.ZodType;
  /** The type of a body that is not JSON. */
  readonly type?: string;
  /** Names of headers, and what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Answers = { readonly [Status in SuccessStatus]?: Answer };

/** What schemas give is mutable, what the gateway gives is not. */
type Shown<Value> = { readonly [Key in keyof Value]: Value[Key] extends (infer Item)[] ? readonly Item[] : Value[Key] };

type HeaderFields = Readonly<Record<string, string>>;

type ReplyOf<Given extends Answers> = {
  [Status in keyof Given]: Given[Status] extends { readonly body: infer Body extends z.ZodType }
    ? { readonly status: Status; readonly headers?: HeaderFields | undefined; readonly body: Shown<z.output<Body>> }
    : { readonly status: Status; readonly headers?: HeaderFields | undefined; readonly text?: string };
}[keyof Given];

/** A handler's answer: what is sent, or who writes it once nothing can be refused any more. */
export type Reply =
  | { readonly status: number; readonly headers?: HeaderFields | undefined; readonly body: object }
  | { readonly status: number; readonly headers?: HeaderFields | undefined; readonly text?: string }
  | Streamed;

export interface Streamed {
  /** Settles when the answer has ended; throws nothing. */
  readonly write: () => Promise<void>;
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** One row of the table that routing, validation and the OpenAPI document are made from. */
export interface Endpoint {
  readonly method: Method;
  /** With `{name}` where a parameter stands. */
  readonly path: `/v1/${string}`;
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly headers: z.ZodObject;
  /** Undefined: it takes none. A body that is absent counts as `{}`. */
  readonly body: z.ZodType | undefined;
  readonly answers: Answers;
  /** Beside those of every endpoint. */
  readonly faults: readonly FaultCode[];
  /** Where a fault has another status here than everywhere. */
  readonly statuses?: OwnStatuses;
  /** @throws Fault */
  handle(call: Call): Promise<Reply>;
}

const none = z.strictObject({});
type None = typeof none;

type Row<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Headers extends z.ZodObject,
  Body extends z.ZodType,
  Given extends Answers,
> = Omit<Endpoint, 'params' | 'query' | 'headers' | 'body' | 'answers' | 'handle' | 'faults'> & {
  readonly params?: Params;
  readonly query?: Query;
  readonly headers?: Headers;
  readonly body?: Body;
  readonly answers: Given;
  readonly faults?: readonly FaultCode[];
  readonly handle: (
    call: Call<z.output<Params>, z.output<Query>, z.output<Headers>, z.output<Body>>,
  ) => Promise<ReplyOf<Given> | Streamed>;
};

/** A JSON answer. */
export function reply<const Status extends SuccessStatus, Body extends object>(
  status: Status,
  body: Body,
  headers?: HeaderFields,
): { readonly status: Status; readonly headers?: HeaderFields | undefined; readonly body: Body } {
  return { status, headers, body };
}

/** An answer without a body. */
export const nothing = { status: 204 } as const;

/** A row whose handler is held to the row's own schemas. */
export function endpoint<
  Given extends Answers,
  Params extends z.ZodObject = None,
  Query extends z.ZodObject = None,
  Headers extends z.ZodObject = None,
  Body extends z.ZodType = None,
>(row: Row<Params, Query, Headers, Body, Given>): Endpoint {
  const { handle, ...rest } = row;
  return {
    faults: [],
    body: undefined,
    params: none,
    query: none,
    headers: none,
    ...rest,
    // What a handler is called with has been parsed by these same schemas.
    handle: handle as unknown as Endpoint['handle'],
  };
}
