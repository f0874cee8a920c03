// The forms of JSON-RPC 2.0 messages, without batches, which ACP does not have.
// https://www.jsonrpc.org/specification, https://agentclientprotocol.com/protocol/v1/overview
import type { JSONRPCResponse } from 'json-rpc-2.0';
import type { JsonRpcId } from './channel.ts';

/** An error answer: the other side's, or one for it to see. */
export class RpcError extends Error {
  readonly code: number;
  readonly data?: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
    this.data = data;
  }
}

export type Incoming =
  | { readonly kind: 'request'; readonly id: JsonRpcId; readonly method: string; readonly params: unknown }
  | { readonly kind: 'notification'; readonly method: string; readonly params: unknown }
  | { readonly kind: 'response'; readonly response: JSONRPCResponse }
  /** Meant as an answer, perhaps to the request with this id. Not to be answered: two peers would never come to an end. */
  | { readonly kind: 'ill-formed response'; readonly id: JsonRpcId }
  /** To be answered under this id, with what is wrong. */
  | { readonly kind: 'ill-formed'; readonly id: JsonRpcId; readonly why: string };

/** Reads any JSON value. Members that the specification does not name are nobody's business. */
export function decodeMessage(value: unknown): Incoming {
  if (!isRecord(value)) return { kind: 'ill-formed', id: null, why: 'a message is one JSON object' };
  const { jsonrpc, id, method, params } = value;
  if (typeof method !== 'string') return decodeWithoutMethod(value);
  const echoed = isId(id) ? id : null;
  if (jsonrpc !== '2.0') return { kind: 'ill-formed', id: echoed, why: 'jsonrpc must be "2.0"' };
  if (typeof (params ?? undefined) !== 'object' && (params ?? undefined) !== undefined) {
    return { kind: 'ill-formed', id: echoed, why: 'params must be an object or an array' };
  }
  if (id === undefined) return { kind: 'notification', method, params };
  if (isId(id)) return { kind: 'request', id, method, params };
  return { kind: 'ill-formed', id: null, why: 'id must be a string, a number or null' };
}

function decodeWithoutMethod(value: Readonly<Record<string, unknown>>): Incoming {
  const { jsonrpc, id, method, result, error } = value;
  const echoed = isId(id) ? id : null;
  if (result === undefined && error === undefined) {
    // An id alone may be that of an answer: echoed, it could be taken for an answer to a request of theirs.
    return { kind: 'ill-formed', id: method === undefined ? null : echoed, why: 'method must be a string' };
  }
  const isOneOfTwo = isAbsent(error) ? result !== undefined : isErrorObject(error) && isAbsent(result);
  if (jsonrpc !== '2.0' || !isId(id) || !isOneOfTwo) return { kind: 'ill-formed response', id: echoed };
  return { kind: 'response', response: value as unknown as JSONRPCResponse };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Some say `null` for what is not there. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** JSON of 1e999 reads as Infinity, which could not be written again. */
function isId(value: unknown): value is JsonRpcId {
  return value === null || typeof value === 'string' || Number.isFinite(value);
}

function isErrorObject(value: unknown): boolean {
  return isRecord(value) && Number.isInteger(value['code']) && typeof value['message'] === 'string';
}
