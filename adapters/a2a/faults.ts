// What a caller is told that something went wrong. JSON-RPC: `error{code, message, data}`; HTTP+JSON and gRPC:
// google.rpc.Status. All carry a google.rpc.ErrorInfo, and a google.rpc.BadRequest where a field is to blame.
// https://a2a-protocol.org/v1.0.1/specification/#54-error-code-mappings
import {
  A2A_ERROR_DOMAIN,
  A2AError,
  ERROR_INFO_TYPE,
  restStatusFor,
  toJsonRpcError,
  toRestErrorBody,
} from '@a2a-js/sdk/errors';
import type { FaultCode } from '../../schemas/fault.ts';
import type { Log } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';

interface Row {
  /** Of JSON-RPC. */
  readonly code: number;
  readonly http: number;
  /** Of google.rpc.Code. */
  readonly status: string;
  readonly reason: string;
}

const invalid = { code: -32602, http: 400, status: 'INVALID_ARGUMENT' };
const refused = { code: -32004, http: 400, status: 'FAILED_PRECONDITION', reason: 'UNSUPPORTED_OPERATION' };
const broken = { code: -32603, http: 500, status: 'INTERNAL' };
const upstream = { code: -32006, http: 500, status: 'INTERNAL', reason: 'INVALID_AGENT_RESPONSE' };
const busy = { code: -32603, http: 409, status: 'ABORTED' };
const unavailable = { code: -32603, http: 503, status: 'UNAVAILABLE' };

/** Every fault, in words that A2A has where it has any. Not yours and not there are the same answer. */
export const faultTable = {
  'invalid-request': { ...invalid, reason: 'INVALID_PARAMS' },
  unauthenticated: { code: -32600, http: 401, status: 'UNAUTHENTICATED', reason: 'UNAUTHENTICATED' },
  forbidden: { code: -32600, http: 403, status: 'PERMISSION_DENIED', reason: 'FORBIDDEN' },
  'not-found': { code: -32001, http: 404, status: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' },
  'agent-not-found': { code: -32600, http: 404, status: 'NOT_FOUND', reason: 'AGENT_NOT_FOUND' },
  'request-conflict': { ...invalid, http: 409, status: 'ALREADY_EXISTS', reason: 'REQUEST_CONFLICT' },
  'run-conflict': { ...busy, reason: 'TASK_BUSY' },
  'run-ended': refused,
  'input-taken': { ...busy, reason: 'INPUT_TAKEN' },
  'revision-conflict': { ...busy, reason: 'REVISION_CONFLICT' },
  'decision-conflict': { ...invalid, reason: 'DECISION_CONFLICT' },
  'invalid-answer': { ...invalid, reason: 'INVALID_ANSWER' },
  'journal-diverged': { ...broken, reason: 'JOURNAL_DIVERGED' },
  'in-doubt': { ...broken, reason: 'IN_DOUBT' },
  'client-gone': { ...busy, reason: 'CLIENT_GONE' },
  'claim-lost': { ...broken, reason: 'CLAIM_LOST' },
  'cursor-expired': { ...invalid, reason: 'CURSOR_EXPIRED' },
  'agent-protocol': upstream,
  'agent-failed': upstream,
  'agent-refused': upstream,
  'upstream-failed': upstream,
  interrupted: { ...broken, reason: 'INTERRUPTED' },
  'too-large': { code: -32600, http: 413, status: 'OUT_OF_RANGE', reason: 'TOO_LARGE' },
  'too-many': { code: -32603, http: 429, status: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY' },
  timeout: { code: -32603, http: 504, status: 'DEADLINE_EXCEEDED', reason: 'TIMEOUT' },
  unsupported: refused,
  'store-failed': { ...unavailable, reason: 'STORE_FAILED' },
  'record-unreadable': { ...broken, status: 'DATA_LOSS', reason: 'RECORD_UNREADABLE' },
  'disk-low': { ...unavailable, reason: 'DISK_LOW' },
  'shutting-down': { ...unavailable, reason: 'SHUTTING_DOWN' },
  'config-invalid': { ...broken, reason: 'CONFIG_INVALID' },
  internal: { ...broken, reason: 'INTERNAL' },
} as const satisfies Record<FaultCode, Row>;

/** A detail of google.rpc: ErrorInfo{reason, domain, metadata} or BadRequest{fieldViolations}. */
export interface Detail {
  readonly '@type': string;
  readonly [key: string]: unknown;
}

/** What went wrong, for every binding. */
export interface WireError {
  readonly code: number;
  readonly http: number;
  readonly status: string;
  readonly message: string;
  readonly details: readonly Detail[];
}

/** What was thrown: a fault of ours, or one of the protocol's own errors. */
export function encodeError(thrown: unknown): WireError {
  return withAllFields(encodeFirst(thrown), thrown);
}

function encodeFirst(thrown: unknown): WireError {
  if (thrown instanceof A2AError) {
    const { code } = toJsonRpcError(thrown);
    const http = restStatusFor(thrown);
    const { status, message, details } = toRestErrorBody(thrown, http).error;
    return { code, http, status, message, details };
  }
  const { code: faultCode, message, path } = Fault.from(thrown);
  const { code, http, status, reason } = faultTable[faultCode];
  const info = { '@type': ERROR_INFO_TYPE, reason, domain: A2A_ERROR_DOMAIN };
  const details = path === undefined ? [info] : [info, badRequest([{ field: fieldOf(path), description: message }])];
  return { code, http, status, message, details };
}

export interface Violation {
  readonly field: string;
  readonly description: string;
}

function badRequest(fieldViolations: readonly Violation[]): Detail {
  return { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations };
}

/** Fields are named from the request, without the root of a JSON path. */
function fieldOf(path: string): string {
  return path.replace(/^\$\.?/, '') || 'body';
}

/** The fault of a request with fields that are wrong. All of them are named. */
export class Violations extends Fault {
  readonly violations: readonly Violation[];

  constructor(violations: readonly Violation[]) {
    const [first] = violations;
    super('invalid-request', violations.map(({ field, description }) => `${field} ${description}`).join('; '), {
      path: first?.field ?? 'body',
    });
    this.violations = violations;
  }
}

export type JsonRpcId = string | number | null;

export function encodeJsonRpcError(id: JsonRpcId, thrown: unknown): object {
  const { code, message, details } = encodeError(thrown);
  return { jsonrpc: '2.0', id, error: { code, message, data: details } };
}

export function encodeRestError(thrown: unknown): { readonly http: number; readonly body: object } {
  const { http, status, message, details } = encodeError(thrown);
  return { http, body: { error: { code: http, status, message, details } } };
}

/** Of 0.3, which has the code of JSON-RPC and no envelope. */
export function encodeLegacyRestError(thrown: unknown): { readonly http: number; readonly body: object } {
  const { http, code, message, details: data } = withAllFields(encodeError(thrown), thrown);
  return { http, body: { code, message, data } };
}

function withAllFields(error: WireError, thrown: unknown): WireError {
  if (!(thrown instanceof Violations)) return error;
  return { ...error, details: [...error.details.slice(0, 1), badRequest(thrown.violations)] };
}

/** Logs what was not foreseen. */
export function report(log: Log, thrown: unknown): void {
  const fault = Fault.from(thrown);
  const isOurs = !(thrown instanceof Error) || !('reason' in thrown);
  if (fault.code === 'internal' && isOurs) log.error({ cause: fault.cause ?? fault }, 'an A2A request failed');
}
