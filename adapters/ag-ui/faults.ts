// Before its stream opens a request is answered with an HTTP status, afterwards with RUN_ERROR, whose `code` is an open
// string. https://docs.ag-ui.com/spec/1.0/events/lifecycle https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import { type FaultCode, faults } from '../../schemas/fault.ts';
import type { Fault } from '../../src/fault.ts';

interface Row {
  readonly status: number;
  readonly code: string;
}

/** Every fault as an HTTP status, and as the `code` of a problem or a RUN_ERROR. */
export const faultTable = {
  'invalid-request': { status: 400, code: 'INVALID_REQUEST' },
  unauthenticated: { status: 401, code: 'UNAUTHENTICATED' },
  forbidden: { status: 403, code: 'FORBIDDEN' },
  'not-found': { status: 404, code: 'NOT_FOUND' },
  'agent-not-found': { status: 404, code: 'AGENT_NOT_FOUND' },
  'request-conflict': { status: 409, code: 'REQUEST_CONFLICT' },
  'run-conflict': { status: 409, code: 'RUN_CONFLICT' },
  'run-ended': { status: 409, code: 'RUN_ENDED' },
  'input-taken': { status: 409, code: 'INPUT_TAKEN' },
  'revision-conflict': { status: 409, code: 'REVISION_CONFLICT' },
  'decision-conflict': { status: 409, code: 'DECISION_CONFLICT' },
  'invalid-answer': { status: 422, code: 'INVALID_ANSWER' },
  'journal-diverged': { status: 500, code: 'JOURNAL_DIVERGED' },
  'in-doubt': { status: 500, code: 'IN_DOUBT' },
  'client-gone': { status: 409, code: 'CLIENT_GONE' },
  'claim-lost': { status: 500, code: 'CLAIM_LOST' },
  'cursor-expired': { status: 410, code: 'CURSOR_EXPIRED' },
  'agent-protocol': { status: 502, code: 'AGENT_PROTOCOL' },
  'agent-failed': { status: 502, code: 'AGENT_FAILED' },
  'agent-refused': { status: 502, code: 'AGENT_REFUSED' },
  'upstream-failed': { status: 502, code: 'UPSTREAM_FAILED' },
  interrupted: { status: 500, code: 'INTERRUPTED' },
  'too-large': { status: 413, code: 'TOO_LARGE' },
  'too-many': { status: 429, code: 'TOO_MANY' },
  timeout: { status: 504, code: 'TIMEOUT' },
  unsupported: { status: 422, code: 'UNSUPPORTED' },
  'store-failed': { status: 503, code: 'STORE_FAILED' },
  'record-unreadable': { status: 500, code: 'RECORD_UNREADABLE' },
  'disk-low': { status: 503, code: 'DISK_LOW' },
  'shutting-down': { status: 503, code: 'SHUTDOWN' },
  'config-invalid': { status: 500, code: 'CONFIG_INVALID' },
  internal: { status: 500, code: 'INTERNAL' },
} as const satisfies Record<FaultCode, Row>;

/** RFC 9457 members. https://www.rfc-editor.org/rfc/rfc9457 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly path?: string;
}

/** `status`: where HTTP has a more exact one than the fault's own (405, 415). */
export function encodeProblem(fault: Fault, status: number = faultTable[fault.code].status): Problem {
  const { code, message, path } = fault;
  const problem = { type: `urn:anyport:fault:${code}`, title: faults[code].what, status, detail: message };
  return { ...problem, code: faultTable[code].code, ...(path === undefined ? {} : { path }) };
}

/** What a CopilotKit runtime says; its frontends show `message` to developers. */
export interface Refusal {
  readonly error: string;
  readonly message: string;
  readonly code: string;
  readonly details?: string;
}

/** Theirs, where they have words for it. */
const refusals: Partial<Record<FaultCode, string>> = {
  'invalid-request': 'Invalid request body',
  'agent-not-found': 'Agent not found',
  'not-found': 'Not found',
};

/** https://github.com/CopilotKit/CopilotKit/blob/main/packages/runtime/src/v2/runtime/handlers/shared/agent-utils.ts */
export function encodeRefusal({ code, message }: Fault): Refusal {
  const refusal = { error: refusals[code] ?? faults[code].what, message, code: faultTable[code].code };
  return code === 'invalid-request' ? { ...refusal, details: message } : refusal;
}
