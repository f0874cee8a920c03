// Problem details: https://www.rfc-editor.org/rfc/rfc9457
import { STATUS_CODES, type ServerResponse } from 'node:http';
import * as z from 'zod';
import { FaultCode } from '../schemas/fault.ts';
import { Fault } from './fault.ts';

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

/** What the body of a refusal says. */
export const Problem = z.object({
  type: z.literal('about:blank'),
  /** The status in words. */
  title: z.string(),
  status: z.int(),
  /** What is wrong, for people. */
  detail: z.string(),
  code: FaultCode,
  /** The same request may succeed later, unchanged. */
  retryable: z.boolean(),
  /** What of the request is wrong, where that is known. */
  path: z.string().optional(),
});
type Problem = z.infer<typeof Problem>;

/** A fault for which HTTP has a more exact status than its code's own. */
export class HttpFault extends Fault {
  readonly status: number;

  constructor(status: number, code: FaultCode, message: string) {
    super(code, message);
    this.status = status;
  }
}

/** Statuses that other ones than the code's own replace at one door. */
export type OwnStatuses = Partial<Readonly<Record<FaultCode, number>>>;

export function statusOf(code: FaultCode, own: OwnStatuses = {}): number {
  return own[code] ?? statuses[code];
}

/** Statuses that pass by waiting: their answers say how long. */
export function isPassing(status: number): boolean {
  return status === 429 || status === 503 || status === 504 || status === 507;
}

/** Answers with a fault as problem JSON. */
export function answerProblem(thrown: unknown, response: ServerResponse, own?: OwnStatuses): void {
  const fault = Fault.from(thrown);
  const { code, message, retryable, path } = fault;
  const status = fault instanceof HttpFault ? fault.status : statusOf(code, own);
  const problem: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? code,
    status,
    detail: message,
    code,
    retryable,
    path,
  };
  if (isPassing(status)) response.setHeader('retry-after', '1');
  // Part of a body that was not read to its end would be taken for the next request.
  if (status === 413 && !response.req.complete) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(problem));
}
