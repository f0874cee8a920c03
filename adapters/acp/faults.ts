// What a request is answered with where it fails, and how a prompt ends.
// https://agentclientprotocol.com/protocol/v1/schema#errorcode
// https://agentclientprotocol.com/protocol/v1/prompt-turn#stop-reasons https://www.jsonrpc.org/specification#error_object
import type * as acp from '@agentclientprotocol/sdk';
import { type FaultCode, faults } from '../../schemas/fault.ts';
import type { Outcome } from '../../schemas/run.ts';
import { Fault } from '../../src/fault.ts';
import { RpcError } from './json-rpc.ts';

const invalidRequest = -32600;
const invalidParams = -32602;
const internalError = -32603;
const authenticationRequired = -32000;
const resourceNotFound = -32002;

/** Every fault as an error code: -32602 for what is wrong with the request itself, -32600 for what the state of things refuses. */
export const faultTable = {
  'invalid-request': invalidParams,
  unauthenticated: authenticationRequired,
  forbidden: invalidRequest,
  'not-found': resourceNotFound,
  'agent-not-found': resourceNotFound,
  'request-conflict': invalidParams,
  'run-conflict': invalidRequest,
  'run-ended': invalidRequest,
  'input-taken': invalidRequest,
  'revision-conflict': invalidRequest,
  'decision-conflict': invalidRequest,
  'invalid-answer': invalidParams,
  'journal-diverged': internalError,
  'in-doubt': internalError,
  'client-gone': internalError,
  'claim-lost': internalError,
  'cursor-expired': invalidParams,
  'agent-protocol': internalError,
  'agent-failed': internalError,
  'agent-refused': internalError,
  'upstream-failed': internalError,
  interrupted: internalError,
  'too-large': invalidParams,
  'too-many': internalError,
  timeout: internalError,
  unsupported: invalidParams,
  'store-failed': internalError,
  'record-unreadable': internalError,
  'disk-low': internalError,
  'shutting-down': internalError,
  'config-invalid': internalError,
  internal: internalError,
} as const satisfies Record<FaultCode, number>;

/** A JSON-RPC error. `data` is open in ACP. */
export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data: {
    readonly code: FaultCode;
    readonly retryable: boolean;
    readonly path?: string;
    readonly sessionId?: string;
  };
}

/** What was thrown. `sessionId`: the session that was not found. What is unexpected is not told. */
export function encodeError(thrown: unknown, about: { readonly sessionId?: string } = {}): WireError {
  const { code, message, retryable, path } = Fault.from(thrown);
  const data = { code, retryable, ...(path === undefined ? {} : { path }), ...about };
  return { code: faultTable[code], message: code === 'internal' ? faults.internal.what : message, data };
}

/** The same as an answer to be thrown: nothing went wrong in answering. */
export function errorAnswer(...[thrown, about]: Parameters<typeof encodeError>): RpcError {
  const { code, message, data } = encodeError(thrown, about);
  return new RpcError(code, message, data);
}

/** Whatever its agent failed of, the request was right: a client is not sent to sign in, or to look for its session. */
function failedRun(fault: Fault): RpcError {
  const { message, data } = encodeError(fault);
  return new RpcError(internalError, message, data);
}

/**
 * How a prompt is answered when its run is done. Whoever stopped it, an answer is expected and no error.
 * @throws RpcError to answer with: ACP has no stop reason for a failure, or for a run that took too long
 */
export function encodeOutcome(outcome: Outcome): acp.PromptResponse {
  switch (outcome.type) {
    case 'completed':
      return { stopReason: stopReasonOf(outcome.stop) };
    case 'cancelled':
      return { stopReason: 'cancelled' };
    case 'failed':
      throw failedRun(Fault.fromRecord(outcome.fault));
  }
}

function stopReasonOf(stop: Extract<Outcome, { type: 'completed' }>['stop']): acp.StopReason {
  switch (stop) {
    case 'end_turn':
    case 'max_tokens':
    case 'refusal':
      return stop;
    case 'max_turns':
      return 'max_turn_requests';
    case 'timeout':
      throw failedRun(new Fault('timeout', 'the agent took longer than it may'));
  }
}
