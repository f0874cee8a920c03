// Problem details: https://www.rfc-editor.org/rfc/rfc9457
import type { ServerResponse } from 'node:http';
import { type FaultCode, faults } from '../../schemas/fault.ts';
import { Fault } from '../fault.ts';

const statuses = {
  'invalid-request': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'agent-not-found': 404,
  'request-conflict': 409,
  'run-conflict': 409,
  'run-ended': 409,
  'input-taken': 409,
  'revision-conflict': 409,
  'decision-conflict': 409,
  'invalid-answer': 422,
  'journal-diverged': 500,
  'in-doubt': 409,
  'client-gone': 409,
  'claim-lost': 409,
  'cursor-expired': 410,
  'agent-protocol': 502,
  'agent-failed': 502,
  'agent-refused': 502,
  'upstream-failed': 502,
  interrupted: 502,
  'too-large': 413,
  'too-many': 429,
  timeout: 504,
  unsupported: 501,
  'store-failed': 503,
  'record-unreadable': 500,
  'disk-low': 507,
  'shutting-down': 503,
  'config-invalid': 500,
  internal: 500,
} as const satisfies Record<FaultCode, number>;

/** Answers with a fault as problem JSON. */
export function answerProblem(thrown: unknown, response: ServerResponse): void {
  const { code, message, retryable, path } = Fault.from(thrown);
  const status = statuses[code];
  const problem = { title: faults[code].what, status, detail: message, code, retryable, path };
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify(problem));
}
